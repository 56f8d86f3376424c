"""Images of masks."""

from rigl_tf.results.plots import figures


def masks(kernels, path):
    """Draws masks as images: rows are inputs, columns outputs.

    Active connections are black.

    Args:
        kernels: Dictionary from a title to a `SparseKernel`.
        path: Path of the image.
    """
    columns = min(len(kernels), 4)
    rows = -(-len(kernels) // columns)
    figure, axes = figures.new_figure(rows, columns, width=4)
    for panel in axes.flat[len(kernels) :]:
        panel.set_axis_off()
    for panel, (name, kernel) in zip(axes.flat, kernels.items(), strict=False):
        image = kernel.layout.matrix(kernel.mask).numpy()
        long = max(image.shape) > 4 * min(image.shape)
        panel.imshow(
            image,
            cmap="Greys",
            aspect="auto" if long else "equal",
            interpolation="none",
            vmin=0,
        )
        panel.set_title(f"{name}\n{int(image.sum()):,} of {image.size:,}")
        panel.set_xlabel("output")
        panel.set_ylabel("input")
    figures.save(figure, path, "Which connections are active?")
