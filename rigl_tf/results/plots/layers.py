"""Dots for the connections in each layer."""

from rigl_tf.results import grouping
from rigl_tf.results.plots import figures


def densities(records, path):
    """Draws the final density of every kernel, a dot for each group of runs.

    Args:
        records: List of `Record`, all of one task. Dense runs are ignored.
        path: Path of the image.
    """
    _draw(
        records,
        path,
        lambda record: record.densities,
        "density, active / all connections",
        "Which layers keep their connections?",
    )


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

    _draw(
        records,
        path,
        counts,
        "active connections",
        "How many connections does each layer have?",
    )


def _draw(records, path, values_of, label, question):
    records = [r for r in records if values_of(r)]
    names = list(dict.fromkeys(name for r in records for name in values_of(r)))
    labels = {group.label for group in grouping.group(records)}
    rows = len(names) * max(1, len(labels) / 3)
    figure, panels = figures.by_setting(
        records, height=figures.height_of_rows(rows)
    )
    for axes, groups in panels:
        series = []
        for runs, style, text in groups.values():
            values = [values_of(run) for run in runs]
            series.append(
                (
                    style,
                    text,
                    {
                        name: [each[name] for each in values if name in each]
                        for name in dict.fromkeys(sum(map(list, values), []))
                    },
                )
            )
        figures.dots(axes, names, series)
        axes.set_xlabel(label)
        figures.logarithmic(axes.xaxis)
    figures.save(figure, path, question + figures.seeds(records))
