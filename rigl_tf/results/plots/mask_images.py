"""Masks as pictures."""

from rigl_tf.results.plots import figures


def masks(kernels, path):
    """Draws masks: inputs downwards, outputs across, active is black.

    Args:
        kernels: Dictionary from what to call it to `SparseKernel`.
        path: File to write, PNG by its ending.
    """
    columns = min(len(kernels), 4)
    rows = -(-len(kernels) // columns)
    figure, axes = figures.new_figure(rows, columns, width=4)
    for panel in axes.flat[len(kernels) :]:
        panel.set_axis_off()
    for panel, (name, kernel) in zip(axes.flat, kernels.items(), strict=False):
        picture = kernel.layout.matrix(kernel.mask).numpy()
        long = max(picture.shape) > 4 * min(picture.shape)
        panel.imshow(
            picture,
            cmap="Greys",
            aspect="auto" if long else "equal",
            interpolation="none",
            vmin=0,
        )
        panel.set_title(f"{name}\n{int(picture.sum()):,} of {picture.size:,}")
        panel.set_xlabel("output")
        panel.set_ylabel("input")
    figures.save(figure, path)
