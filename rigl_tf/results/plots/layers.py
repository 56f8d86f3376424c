"""Bars of the connections in each layer."""

import numpy as np

from rigl_tf.results.plots import figures


def densities(records, path):
    """Draws the final density of every kernel, a bar for each group of runs.

    Args:
        records: List of `Record`, all of one task. Dense runs are ignored.
        path: Path of the image.
    """
    label = "density, active / all connections"
    _bars(records, path, lambda record: record.densities, label)


def active(records, path):
    """Draws the final number of active connections of every kernel.

    Args:
        records: List of `Record`, all of one task. Dense runs are ignored.
        path: Path of the image.
    """

    def counts(record):
        return {
            name: kernel["active"] for name, kernel in record.structure.items()
        }

    _bars(records, path, counts, "active connections")


def _bars(records, path, values_of, ylabel):
    figure, panels = figures.by_setting(
        [r for r in records if values_of(r)], wide=True
    )
    for axes, groups in panels:
        for i, (group, (runs, style)) in enumerate(groups.items()):
            names = list(values_of(runs[0]))
            values = [list(values_of(run).values()) for run in runs]
            width = 0.8 / len(groups)
            axes.bar(
                np.arange(len(names)) + (i - (len(groups) - 1) / 2) * width,
                np.mean(values, axis=0),
                width,
                color=style.colour,
                hatch=style.hatch,
                edgecolor="white",
                linewidth=0,
                label=group.label,
            )
            shown = range(0, len(names), figures.label_step(names))
            axes.set_xticks(
                shown,
                [names[i] for i in shown],
                rotation=45,
                ha="right",
                fontsize=8,
            )
        axes.set_ylabel(ylabel)
        figures.logarithmic(axes)
    figures.save(figure, path)
