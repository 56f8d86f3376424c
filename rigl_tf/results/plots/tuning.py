"""Plots of two tuned settings."""

import numpy as np

from rigl_tf.results import grouping
from rigl_tf.results.plots import figures


def trials(records, path, x="ALPHA", y="INTERVAL", reference=None):
    """Draws validation accuracy over two settings as contours.

    A dot is a pair of settings. Its accuracy is the mean over seeds after the
    last epoch. A triangle marks the best pair, a circle the reference.

    Args:
        records: List of `Record`, all of one task, with both settings. Each
            sparsity and distribution has a panel.
        path: Path of the image.
        x: String, the name of a setting.
        y: String, the name of a setting.
        reference: Pair of reference values, or `None`.

    Raises:
        ValueError: If there are no validation data.
    """
    records = [r for r in records if {x, y} <= r.settings.keys()]
    groups = grouping.group(records)
    figures.check_one_task(groups)
    settings = grouping.settings(groups)
    columns = len({setting.sparsity for setting in settings})
    figure, axes = figures.new_figure(
        len(settings) // columns, columns, width=4.5
    )
    for panel, setting in zip(axes.flat, settings, strict=True):
        points = [
            (
                runs[0].settings[x],
                runs[0].settings[y],
                100 * np.mean([run.final_val_accuracy for run in runs]),
            )
            for group, runs in groups.items()
            if group.is_compared_in(setting)
        ]
        panel.set_title(f"sparsity {setting}")
        panel.set_xlabel(x.lower())
        panel.set_ylabel(f"{y.lower()}, steps" if y == "INTERVAL" else y)
        if points:
            _contours(figure, panel, np.transpose(points))
            if reference is not None:
                panel.plot(
                    *reference,
                    "o",
                    color="black",
                    markerfacecolor="none",
                    markeredgewidth=2,
                    markersize=13,
                    clip_on=False,
                    label="reference, {:g} and {:g}".format(*reference),
                )
    figures.save(figure, path)


def _contours(figure, panel, points):
    x, y, accuracy = points
    if len(np.unique(x)) > 2 and len(np.unique(y)) > 2:
        shades = panel.tricontourf(x, y, accuracy, levels=10, cmap="cividis")
    else:  # the points span no area
        shades = panel.scatter(x, y, c=accuracy, cmap="cividis")
    figure.colorbar(shades, ax=panel, label="validation accuracy, %")
    # `clip_on=False` draws whole dots at the edge.
    dots = {"color": "white", "markeredgecolor": "black", "clip_on": False}
    panel.plot(x, y, ".", label="trial", **dots)
    best = np.argmax(accuracy)
    dots |= {"color": "black", "markersize": 9}
    panel.plot(x[best], y[best], "^", label="best", **dots)
