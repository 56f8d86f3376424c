"""The space of two settings that were tuned."""

import numpy as np

from rigl_tf import kinds
from rigl_tf.plots import parts


def trials(records, path, x="ALPHA", y="INTERVAL", reference=(0.3, 100)):
    """Draws validation accuracy over two settings as contours.

    A dot is a pair of settings, its accuracy the mean over seeds after the
    last epoch; a triangle is the best, a circle the reference.

    Args:
        records: List of `Record`, of one task, with both settings. There is a
            panel for each sparsity and distribution.
        path: File to write, PNG by its ending.
        x: String, a setting.
        y: String, a setting.
        reference: Pair of the values to compare with; by default those of
            Evci et al. (2020).
    """
    records = [r for r in records if {x, y} <= r.settings.keys()]
    groups = kinds.group(records)
    parts.check_one_task(groups)
    settings = kinds.settings(groups)
    columns = len({setting.sparsity for setting in settings})
    figure, axes = parts.new_figure(
        len(settings) // columns, columns, width=4.5
    )
    for panel, setting in zip(axes.flat, settings, strict=True):
        points = [
            (
                runs[0].settings[x],
                runs[0].settings[y],
                100 * np.mean([run.validated for run in runs]),
            )
            for kind, runs in groups.items()
            if kind.compares_in(setting)
        ]
        panel.set_title(f"sparsity {setting}")
        panel.set_xlabel(x.lower())
        panel.set_ylabel(f"{y.lower()}, steps" if y == "INTERVAL" else y)
        if points:
            _contours(figure, panel, np.transpose(points))
            panel.margins(0.05)
            panel.plot(
                *reference,
                "o",
                color="black",
                markerfacecolor="none",
                markeredgewidth=2,
                markersize=13,
                label="reference, {:g} and {:g}".format(*reference),
            )
    parts.save(figure, path)


def _contours(figure, panel, points):
    x, y, accuracy = points
    if len(np.unique(x)) > 2 and len(np.unique(y)) > 2:
        shades = panel.tricontourf(x, y, accuracy, levels=10, cmap="cividis")
    else:  # they span no area
        shades = panel.scatter(x, y, c=accuracy, cmap="cividis")
    figure.colorbar(shades, ax=panel, label="validation accuracy, %")
    panel.plot(x, y, ".", color="white", markeredgecolor="black", label="trial")
    best = np.argmax(accuracy)
    panel.plot(x[best], y[best], "^", color="black", markersize=9, label="best")
