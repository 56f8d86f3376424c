"""Figures from records and masks."""

import pathlib
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rigl_tf import results

# Okabe & Ito's colours, which everyone can tell apart.
_COLOURS = (
    "#000000",
    "#D55E00",
    "#0072B2",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
)
# What tells methods apart that share a colour.
_LINES = ("-", "--", ":")
_HATCHES = (None, "/////", ".....")


def accuracy(records, path, metric="val_accuracy"):
    """Draws accuracy per epoch: the mean over seeds and their range.

    Args:
        records: List of `Record`, of one task. There is a panel for each
            sparsity and distribution, with the dense runs in each.
        path: File to write, PNG by its ending.
        metric: String, a key of `Record.history`.
    """
    name = metric.replace("val_", "validation ")
    _curves(records, path, metric, 100, f"{name}, %")


def flops(records, path):
    """Draws the FLOPs of a forward pass over the steps of training.

    Args:
        records: List of `Record`, of one task, as in `accuracy`.
        path: File to write, PNG by its ending.
    """
    label = "FLOPs of inference / those of dense"
    _curves(records, path, "flops", 1, label, by_step=True)


def densities(records, path):
    """Draws the final density of every kernel, a bar for each group of runs.

    Args:
        records: List of `Record`, of one task; dense ones are left out.
        path: File to write, PNG by its ending.
    """
    label = "density, active / all connections"
    _bars(records, path, lambda record: record.densities, label)


def active(records, path):
    """Draws how many connections of every kernel are active in the end.

    Args:
        records: List of `Record`, of one task; dense ones are left out.
        path: File to write, PNG by its ending.
    """

    def counts(record):
        return {
            name: kernel["active"] for name, kernel in record.structure.items()
        }

    _bars(records, path, counts, "active connections")


def density_over_time(record, path):
    """Draws the density of every kernel after each epoch of one run.

    Args:
        record: `Record`.
        path: File to write, PNG by its ending.
    """
    names = [name for name in record.history if name.startswith("density/")]
    figure, axes = _figure(1, 1)
    colours = matplotlib.colormaps["viridis"](np.linspace(0, 0.9, len(names)))
    for i, (name, colour) in enumerate(zip(names, colours, strict=True)):
        values = record.history[name]
        axes[0, 0].plot(
            range(1, len(values) + 1),
            values,
            color=colour,
            linestyle=_LINES[i % len(_LINES)],
            linewidth=2,
            label=name.removeprefix("density/"),
        )
    axes[0, 0].xaxis.get_major_locator().set_params(integer=True)
    axes[0, 0].set_xlabel("epoch")
    axes[0, 0].set_ylabel("density, active / all connections")
    axes[0, 0].set_title(str(record.kind))
    _logarithmic(axes[0, 0])
    _save(figure, path)


def masks(kernels, path):
    """Draws masks: inputs downwards, outputs across, active is black.

    Args:
        kernels: Dictionary from what to call it to `SparseKernel`.
        path: File to write, PNG by its ending.
    """
    columns = min(len(kernels), 4)
    rows = -(-len(kernels) // columns)
    figure, axes = _figure(rows, columns, width=4)
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
    _save(figure, path)


def _curves(records, path, metric, scale, ylabel, by_step=False):
    figure, panels = _panels(records)
    for axes, groups in panels:
        for kind, (runs, style) in groups.items():
            curves = [r.history[metric] for r in runs if metric in r.history]
            if not curves:
                continue
            length = min(map(len, curves))
            curves = scale * np.asarray([curve[:length] for curve in curves])
            x = np.arange(1, length + 1)
            if by_step:
                x *= runs[0].steps // len(runs[0].history[metric])
            axes.plot(
                x,
                curves.mean(0),
                color=style.colour,
                linestyle=style.line,
                marker="o" if length == 1 else "",  # no line to see
                label=kind.method,
            )
            axes.fill_between(
                x,
                curves.min(0),
                curves.max(0),
                color=style.colour,
                alpha=0.15,
                linewidth=0,
            )
        axes.xaxis.get_major_locator().set_params(integer=True)
        if by_step:
            axes.set_ylim(bottom=0)
        axes.set_xlabel(("step" if by_step else "epoch") + _seeds(records))
        axes.set_ylabel(ylabel)
    _save(figure, path)


def _bars(records, path, values_of, ylabel):
    figure, panels = _panels([r for r in records if values_of(r)], wide=True)
    for axes, groups in panels:
        for i, (kind, (runs, style)) in enumerate(groups.items()):
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
                label=kind.method,
            )
            axes.set_xticks(
                range(len(names)), names, rotation=45, ha="right", fontsize=8
            )
        axes.set_ylabel(ylabel)
        _logarithmic(axes)
    _save(figure, path)


class _Style(NamedTuple):
    colour: str
    line: str
    hatch: str | None


def _panels(records, wide=False):
    """A figure, and pairs of a panel and what is in it.

    That is a dictionary from `Kind` to its records and style.
    """
    groups = results.group(records)
    tasks = sorted({kind.task for kind in groups})
    if len(tasks) > 1:
        raise ValueError(
            "A figure shows the runs of one task. Received `records` of "
            f"{', '.join(tasks)}."
        )
    methods = {kind.method for kind in groups} - {"dense"}
    styles = {
        method: _Style(
            _COLOURS[i % len(_COLOURS)],
            _LINES[i // len(_COLOURS) % len(_LINES)],
            _HATCHES[i // len(_COLOURS) % len(_HATCHES)],
        )
        for i, method in enumerate(["dense", *sorted(methods)])
    }
    settings = results.settings(groups)
    columns = len({setting.sparsity for setting in settings})
    width = 7 if columns == 1 else 4.5
    if wide:
        bars = max((len(r.densities) for r in records), default=0)
        width = max(width, 0.04 * bars * len(methods))
    figure, axes = _figure(len(settings) // columns, columns, width)
    panels = []
    for panel, setting in zip(axes.flat, settings, strict=True):
        inside = {
            kind: (runs, styles[kind.method])
            for kind, runs in groups.items()
            if kind.compares_in(setting)
        }
        panel.set_title(f"sparsity {setting}" if setting.sparsity else "")
        panels.append((panel, inside))
    return figure, panels


def _seeds(records):
    """How many runs a mean is over, in words."""
    counts = sorted({len(runs) for runs in results.group(records).values()})
    if counts in ([], [1]):
        return ""
    return f"\nmean and range of {' or '.join(map(str, counts))} seeds"


def _figure(rows, columns, width=7.0):
    figure = Figure(
        figsize=(1 + width * columns, 0.5 + 4 * rows), layout="constrained"
    )
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False)
    for panel in axes.flat:
        panel.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _logarithmic(axes):
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.set_ylim(bottom=low / 2)  # or the lowest bar could not be seen
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}" if high < 15 * low else "")


def _save(figure, path):
    entries = {}
    for axes in figure.axes:
        for handle, label in zip(
            *axes.get_legend_handles_labels(), strict=True
        ):
            entries.setdefault(label, handle)
    if entries:
        figure.legend(
            entries.values(),
            entries,
            loc="outside right upper",
            frameon=False,
        )
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
