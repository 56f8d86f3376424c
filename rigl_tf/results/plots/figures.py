"""Styles and panels of all figures."""

import math
import pathlib
from typing import NamedTuple

from rigl_tf.results import grouping
from rigl_tf.utils import durable
from rigl_tf.utils import extras
from rigl_tf.utils import text_tables

with extras.needed("runs"):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedFormatter
    from matplotlib.ticker import LogLocator

# The colours of Okabe & Ito, which colour-blind readers can distinguish.
COLOURS = (
    "#000000",
    "#D55E00",
    "#0072B2",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
)
# Line styles and hatches distinguish methods with the same colour.
LINES = ("-", "--", ":")
HATCHES = (None, "/////", ".....")
_MOST_LABELS = 60


class Style(NamedTuple):
    """The style of a line or a bar."""

    colour: str
    line: str
    hatch: str | None


def styles(labels):
    """Returns a dictionary from a label to its `Style`; dense is black."""
    labels = ["dense", *sorted(set(labels) - {"dense"})]
    return {
        label: Style(
            COLOURS[i % len(COLOURS)],
            LINES[i // len(COLOURS) % len(LINES)],
            HATCHES[i // len(COLOURS) % len(HATCHES)],
        )
        for i, label in enumerate(labels)
    }


def by_setting(records, wide=False):
    """Makes a figure with a panel for each setting.

    Args:
        records: List of `Record`, all of one task.
        wide: Boolean, whether the panels have bars for every kernel.

    Returns:
        The figure, and a list of pairs: a panel, and a dictionary from
        `RunGroup` to its records and style.
    """
    groups = grouping.group(records)
    check_one_task(groups)
    styled = styles(group.label for group in groups)
    settings = grouping.settings(groups)
    columns = len({setting.sparsity for setting in settings})
    if columns == 1:  # distributions side by side
        columns = len(settings)
    width = 7 if columns == 1 else 4.5
    if wide:
        bars = max((len(r.densities) for r in records), default=0)
        width = max(width, 0.04 * bars * (len(styled) - 1))
    figure, axes = new_figure(len(settings) // columns, columns, width)
    panels = []
    for panel, setting in zip(axes.flat, settings, strict=True):
        inside = {
            group: (runs, styled[group.label])
            for group, runs in groups.items()
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
    """Returns a note for an axis with the number of seeds."""
    counts = sorted({len(runs) for runs in grouping.group(records).values()})
    if counts in ([], [1]):
        return ""
    return f"\nmean and range of {' or '.join(map(str, counts))} seeds"


def label_step(names):
    """Returns 1, or n if only every n-th of many names has room for a label."""
    return -(-len(names) // _MOST_LABELS) or 1


def tiled(num, width=7.0):
    """Makes a figure with panels in a square and a shared vertical axis."""
    columns = math.ceil(math.sqrt(max(num, 1)))
    figure, axes = new_figure(-(-num // columns) or 1, columns, width)
    for panel in axes.flat[1:]:
        panel.sharey(axes.flat[0])
    for panel in axes.flat[max(num, 1) :]:
        panel.set_visible(False)
    return figure, axes.flat[: max(num, 1)]


def new_figure(rows, columns, width=7.0):
    """Makes a figure and its array of panels; `width` is in inches."""
    figure = Figure(
        figsize=(1 + width * columns, 0.5 + 4 * rows), layout="constrained"
    )
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False)
    for panel in axes.flat:
        panel.spines[["top", "right"]].set_visible(False)
    return figure, axes


def logarithmic(axes):
    """Makes the vertical axis logarithmic, with plain numbers."""
    low, high = axes.dataLim.minposy, axes.dataLim.y1
    if low <= high:  # the axis has data
        # Keeps the lowest bar visible, and the range of equal values open.
        axes.set_ylim(low / 2, 1.2 * high)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    axes.yaxis.set_minor_formatter("{x:g}")


def save(figure, path):
    """Adds a legend for all panels and writes the image."""
    entries = {}
    for axes in figure.axes:
        for handle, label in zip(
            *axes.get_legend_handles_labels(), strict=True
        ):
            entries.setdefault(_text(label), handle)
        _show_as_text(axes)
    if entries:
        legend = figure.legend(
            entries.values(),
            entries,
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
