"""Curves over the course of training."""

import numpy as np

from rigl_tf.results import grouping
from rigl_tf.results.plots import figures
from rigl_tf.utils import extras

with extras.needed("runs"):
    import matplotlib


def accuracy(records, path):
    """Draws accuracy per epoch: the mean and the range over seeds.

    It is the validation accuracy, or the training accuracy if no run has
    validation data.

    Args:
        records: List of `Record`, all of one task. Each sparsity and
            distribution has a panel; dense runs are in every panel.
        path: Path of the image, such as `"accuracy.png"`.
    """
    if any("val_accuracy" in record.history for record in records):
        _curves(records, path, "val_accuracy", 100, "validation accuracy, %")
    else:
        _curves(records, path, "accuracy", 100, "accuracy, %")


def flops(records, path):
    """Draws the FLOPs of a forward pass over the steps of training.

    Args:
        records: List of `Record`, all of one task, as in `accuracy`.
        path: Path of the image.
    """
    label = "FLOPs of inference / FLOPs of dense"
    _curves(records, path, "flops", 1, label, by_step=True)


def density_over_time(record, path):
    """Draws the density of every kernel after each epoch of one run.

    Args:
        record: `Record`.
        path: Path of the image.
    """
    names = [name for name in record.history if name.startswith("density/")]
    figure, axes = figures.new_figure(1, 1)
    colours = matplotlib.colormaps["viridis"](np.linspace(0, 0.9, len(names)))
    step = figures.label_step(names)
    for i, (name, colour) in enumerate(zip(names, colours, strict=True)):
        values = record.history[name]
        label = name.removeprefix("density/")
        axes[0, 0].plot(
            range(1, len(values) + 1),
            values,
            color=colour,
            linestyle=figures.LINES[i % len(figures.LINES)],
            linewidth=2,
            label=label if i % step == 0 else None,
        )
    axes[0, 0].xaxis.get_major_locator().set_params(integer=True)
    axes[0, 0].set_xlabel("epoch")
    axes[0, 0].set_ylabel("density, active / all connections")
    axes[0, 0].set_title(str(grouping.group_key(record)))
    figures.logarithmic(axes[0, 0])
    figures.save(figure, path)


def _curves(records, path, metric, scale, ylabel, by_step=False):
    figure, panels = figures.by_setting(records)
    for axes, groups in panels:
        for group, (runs, style) in groups.items():
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
                label=group.label,
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
        axes.set_xlabel(
            ("step" if by_step else "epoch") + figures.seeds(records)
        )
        axes.set_ylabel(ylabel)
    figures.save(figure, path)
