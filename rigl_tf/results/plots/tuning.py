"""Plots of two tuned settings."""

import numpy as np

from rigl_tf.results import grouping
from rigl_tf.results.plots import figures


def trials(records, path, x="ALPHA", y="INTERVAL", reference=None):
    """Draws validation accuracy over two settings, a dot for each pair.

    The accuracy is the mean over seeds after the last epoch. A triangle marks
    the best pair, a circle the reference.

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
    marker = {"linestyle": "", "color": "black", "markerfacecolor": "none"}
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
        if not points:
            continue
        dots = panel.scatter(
            *np.transpose(points)[:2],
            s=50,
            c=np.transpose(points)[2],
            cmap="cividis",
            clip_on=False,  # draws whole dots at the edge
        )
        figure.colorbar(dots, ax=panel, label="validation accuracy, %")
        best = max(points, key=lambda point: point[2])[:2]
        panel.plot(*best, "^", markersize=14, label="best", **marker)
        if reference is not None:
            label = "reference, {:g} and {:g}".format(*reference)
            panel.plot(*reference, "o", markersize=14, label=label, **marker)
    question = f"Which {x.lower()} and {y.lower()} are the best?"
    figures.save(figure, path, question + figures.seeds(records))
