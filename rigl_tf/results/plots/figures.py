"""Panels, axes and dots of all figures."""

import collections
import math
import pathlib
import textwrap

import numpy as np

from rigl_tf.results import grouping
from rigl_tf.results.plots import styles
from rigl_tf.utils import durable
from rigl_tf.utils import extras
from rigl_tf.utils import text_tables

with extras.needed("runs"):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedFormatter
    from matplotlib.ticker import FixedLocator
    from matplotlib.ticker import LogLocator
    from matplotlib.ticker import NullFormatter
    from matplotlib.ticker import NullLocator

_MOST_LABELS = 60
_LABEL_WIDTH = 36  # characters, so that panels keep their room


def by_setting(records, width=4.5, height=4.0, metrics=1, rank=None):
    """Makes a figure with a panel for each setting.

    Args:
        records: List of `Record`, all of one task.
        width: Float, the width of a panel in inches.
        height: Float, the height of a panel in inches.
        metrics: Integer, panels of each setting, side by side.
        rank: As in `styles.choose`.

    Returns:
        The figure, and a list of pairs: a panel, and a dictionary from
        `RunGroup` to its records, `Style` and label.
    """
    groups = grouping.group(records)
    check_one_task(groups)
    runs = collections.defaultdict(list)
    for group, each in groups.items():
        runs[group.label] += each
    styled = styles.choose(runs, rank)
    settings = grouping.settings(groups)
    columns = len({setting.sparsity for setting in settings})
    if columns == 1:  # distributions side by side
        columns = len(settings)
    rows = len(settings) // columns
    figure, axes = new_figure(rows, columns * metrics, width, height)
    panels = []
    for number, panel in enumerate(axes.flat):
        setting = settings[number // metrics]
        inside = {
            group: (each, *styled[group.label])
            for group, each in groups.items()
            if group.is_compared_in(setting)
        }
        panel.set_title(f"sparsity {setting}" if setting.sparsity else "")
        panels.append((panel, inside))
    return figure, panels


def check_one_task(groups):
    """Raises a ValueError if groups belong to several tasks."""
    tasks = sorted({group.task for group in groups})
    if len(tasks) > 1:
        raise ValueError(
            "`records` must belong to one task. Received records of "
            f"{', '.join(tasks)}. Draw one figure for each task."
        )


def seeds(records):
    """Returns a note for the title with the number of seeds."""
    counts = sorted({len(runs) for runs in grouping.group(records).values()})
    if counts in ([], [1]):
        return ""
    return f"\nmean and range of {' or '.join(map(str, counts))} seeds"


def label_step(names):
    """Returns 1, or n if only every n-th of many names has room for a label."""
    return -(-len(names) // _MOST_LABELS) or 1


def tiled(num, width=4.5, height=4.0, shared="y"):
    """Makes a figure with panels in a square and a shared axis."""
    columns = math.ceil(math.sqrt(max(num, 1)))
    figure, axes = new_figure(-(-num // columns) or 1, columns, width, height)
    for panel in axes.flat[1:]:
        getattr(panel, f"share{shared}")(axes.flat[0])
    for panel in axes.flat[max(num, 1) :]:
        panel.set_visible(False)
    return figure, axes.flat[: max(num, 1)]


def new_figure(rows, columns, width=7.0, height=4.0):
    """Makes a figure and its array of panels, with sizes in inches."""
    figure = Figure(
        figsize=(1 + width * columns, 0.8 + height * rows),
        layout="constrained",
    )
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False)
    for panel in axes.flat:
        panel.spines[["top", "right"]].set_visible(False)
    return figure, axes


def height_of_rows(number):
    """Returns the height in inches of a panel with rows of text."""
    return min(1.2 + 0.25 * number, 20)


def dots(axes, names, series):
    """Draws a row for each name, with a dot and a range for each series.

    Args:
        axes: A panel.
        names: List of strings.
        series: List of tuples: a `Style`, a label, and a dictionary from a
            name to the values over seeds.
    """
    for number, (style, label, values) in enumerate(series):
        rows, means, below, above = [], [], [], []
        for row, name in enumerate(names):
            if name not in values:
                continue
            beside = [i for i, each in enumerate(series) if name in each[2]]
            place = (beside.index(number) + 0.5) / len(beside) - 0.5
            rows.append(row + 0.7 * place)
            means.append(np.mean(values[name]))
            below.append(means[-1] - np.min(values[name]))
            above.append(np.max(values[name]) - means[-1])
        axes.errorbar(
            means,
            rows,
            xerr=np.maximum([below, above], 0),
            fmt=style.marker,
            markersize=5,
            color=style.colour,
            label=label,
            zorder=1 if style == styles.GREY else 2,
        )
    step = label_step(names)
    axes.set_yticks(range(0, len(names), step), names[::step], fontsize="small")
    axes.set_ylim(max(len(names), 1) - 0.5, -0.5)
    axes.grid(axis="x", alpha=0.3)
    for row in range(1, len(names), 2):  # bands guide the eye
        axes.axhspan(row - 0.5, row + 0.5, color="0.96", zorder=0)


def accuracy_axis(axis, values, label="test accuracy, %"):
    """Spaces accuracies by their errors, so that high ones do not crowd.

    From 80 to 90 % and from 98 to 99 % is the same distance. Accuracies whose
    errors are similar have an ordinary axis.

    Args:
        axis: `panel.xaxis` or `panel.yaxis`.
        values: The accuracies in per cent.
        label: String.
    """
    axis.set_label_text(label)
    errors = 100 - np.asarray(list(values), float)
    if not errors.size or errors.max() < 4 * max(errors.min(), 0.05):
        return
    least = 0.1  # an error of 0 has a place
    set_scale = getattr(axis.axes, f"set_{axis.axis_name}scale")
    set_scale(
        "function",
        functions=(
            lambda accuracy: -np.log10(np.maximum(100 - accuracy, 0) + least),
            lambda place: 100 + least - 10.0**-place,
        ),
    )
    axis.axes.autoscale(axis=axis.axis_name)
    many = errors.max() < 10 * max(errors.min(), least)
    steps = (1, 1.5, 2, 3, 4, 5, 7) if many else (1, 2, 5)
    ticks = [100 - step * power for power in (0.1, 1, 10) for step in steps]
    axis.set_major_locator(FixedLocator([0, *sorted(ticks), 100]))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())
    axis.grid(alpha=0.3)


def logarithmic(axis):
    """Makes an axis logarithmic, with plain numbers."""
    name, axes = axis.axis_name, axis.axes
    low = getattr(axes.dataLim, f"minpos{name}")
    high = getattr(axes.dataLim, f"{name}1")
    if low <= high < 4 * low:  # opens the range of similar values
        getattr(axes, f"set_{name}lim")(low / 1.5, 1.5 * high)
    getattr(axes, f"set_{name}scale")("log")
    axis.set_major_locator(LogLocator(numticks=6))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(LogLocator(subs=(2, 5)))
    # Labels of more than two decades would overlap.
    axis.set_minor_formatter("{x:g}" if high < 100 * low else NullFormatter())
    axis.set_tick_params(which="both", length=4)


def save(figure, path, question):
    """Adds the title and a legend for all panels, and writes the image."""
    # Leaves room for the legend at the right.
    width = 34 * figure.axes[0].get_gridspec().ncols
    lines = [textwrap.fill(line, width) for line in question.split("\n")]
    figure.suptitle("\n".join(lines), x=0.01, ha="left", fontsize="large")
    entries = {}
    for axes in figure.axes:
        for handle, label in zip(
            *axes.get_legend_handles_labels(), strict=True
        ):
            entries.setdefault(_text(label), handle)
        _show_as_text(axes)
    if entries:
        labels = sorted(entries, key=lambda label: label.startswith("others:"))
        legend = figure.legend(
            [entries[label] for label in labels],
            [textwrap.fill(label, _LABEL_WIDTH) for label in labels],
            loc="outside right upper",
            frameon=False,
            handlelength=3,
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with durable.replacing(path) as partial:
        figure.savefig(partial, dpi=150)


def _show_as_text(axes):
    """Shows names in titles and at ticks as they are, not as formulas."""
    axes.title.set_text(_text(axes.get_title()))
    axes.title.set_parse_math(False)
    for axis in (axes.xaxis, axes.yaxis):
        formatter = axis.get_major_formatter()
        if isinstance(formatter, FixedFormatter):
            formatter.seq = [_text(label) for label in formatter.seq]
            for label in axis.get_ticklabels():
                label.set_parse_math(False)


def _text(name):
    return "\n".join(map(text_tables.shown, name.split("\n")))
