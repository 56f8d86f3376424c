"""Figures from records and models."""

import pathlib

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


def accuracy(records, path, metric="val_accuracy"):
    """Draws accuracy per epoch: the mean over seeds and their range.

    Args:
        records: List of `Record`.
        path: File to write, PNG by its ending.
        metric: String, a key of `Record.history`.
    """
    figure, axes = _axes()
    for i, (kind, runs) in enumerate(results.group(records).items()):
        curves = [run.history[metric] for run in runs if metric in run.history]
        if not curves:
            continue
        length = min(map(len, curves))
        curves = 100 * np.asarray([curve[:length] for curve in curves])
        epochs = np.arange(1, length + 1)
        colour = _COLOURS[i % len(_COLOURS)]
        label = f"{kind} (n = {len(curves)})"
        axes.plot(epochs, curves.mean(0), color=colour, label=label)
        axes.fill_between(
            epochs, curves.min(0), curves.max(0), color=colour, alpha=0.15
        )
    axes.set_xlabel("epoch")
    axes.set_ylabel(f"{metric.replace('val_', 'validation ')}, %")
    if axes.lines:
        axes.legend(frameon=False)
    _save(figure, path)


def densities(records, path):
    """Draws the final density of every kernel, a bar for each group of runs.

    Args:
        records: List of `Record`; the dense ones are left out.
        path: File to write, PNG by its ending.
    """
    groups = [
        runs for runs in results.group(records).values() if runs[0].densities
    ]
    figure, axes = _axes()
    for i, runs in enumerate(groups):
        names = list(runs[0].densities)
        values = np.mean([list(r.densities.values()) for r in runs], axis=0)
        width = 0.8 / len(groups)
        axes.bar(
            np.arange(len(names)) + (i - (len(groups) - 1) / 2) * width,
            values,
            width,
            color=_COLOURS[(i + 1) % len(_COLOURS)],
            label=str(runs[0].kind),
        )
        axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_ylabel("density, active / all connections")
    axes.set_yscale("log")
    for which in ("major", "minor"):
        getattr(axes.yaxis, f"set_{which}_formatter")("{x:g}")
    if groups:
        axes.legend(frameon=False)
    _save(figure, path)


def mask(kernel, path):
    """Draws one mask: inputs downwards, outputs across, active is black.

    Args:
        kernel: `SparseKernel`.
        path: File to write, PNG by its ending.
    """
    picture = kernel.layout.matrix(kernel.mask).numpy()
    figure, axes = _axes()
    axes.imshow(picture, cmap="Greys", aspect="auto", interpolation="none")
    axes.set_xlabel("output")
    axes.set_ylabel("input")
    active = int(picture.sum())
    axes.set_title(
        f"{kernel.name}: {active:,} of {picture.size:,} connections active"
    )
    _save(figure, path)


def _axes():
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _save(figure, path):
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
