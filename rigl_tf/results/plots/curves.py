"""Curves over the course of training."""

import numpy as np

from rigl_tf.results import grouping
from rigl_tf.results.plots import figures
from rigl_tf.results.plots import styles


def accuracy(records, path):
    """Draws accuracy per epoch: the mean and the range over seeds.

    It is the validation accuracy, or the training accuracy if no run has
    validation data.

    Args:
        records: List of `Record`, all of one task. Each sparsity and
            distribution has a panel; dense runs are in every panel.
        path: Path of the image, such as `"accuracy.png"`.
    """
    has_validation = any("val_accuracy" in r.history for r in records)
    metric = "val_accuracy" if has_validation else "accuracy"
    name = "validation accuracy" if has_validation else "accuracy"
    figure, panels = figures.by_setting(records)
    for axes, groups in panels:
        values = _curves(axes, groups, metric, scale=100)
        figures.accuracy_axis(axes.yaxis, values, f"{name}, %")
    note = figures.seeds(records)
    figures.save(figure, path, f"How fast does each method learn?{note}")


def flops(records, path):
    """Draws the FLOPs of a forward pass over the steps of training.

    Args:
        records: List of `Record`, all of one task, as in `accuracy`.
        path: Path of the image.
    """

    def change(runs):
        return max(np.ptp(run.history.get("flops", [1])) for run in runs)

    figure, panels = figures.by_setting(records, rank=change)
    for axes, groups in panels:
        _curves(axes, groups, "flops", by_step=True)
        axes.set_ylim(bottom=0)
        axes.set_ylabel("FLOPs of inference / FLOPs of dense")
    question = "How expensive is the network while it is trained?"
    figures.save(figure, path, question + figures.seeds(records))


def mask_changes(records, path):
    """Draws how far masks move away from the first ones.

    Each sparsity and distribution has two panels: the fraction of the initial
    connections that are active, and the fraction of all connections that have
    ever been active.

    Args:
        records: List of `Record`, all of one task. Dense runs are ignored.
        path: Path of the image.
    """
    records = [r for r in records if "kept" in r.history]
    labels = {
        "kept": "initial connections still active, %",
        "explored": "connections that were ever active, %",
    }
    figure, panels = figures.by_setting(records, metrics=len(labels))
    for number, (axes, groups) in enumerate(panels):
        metric = list(labels)[number % len(labels)]
        values = _curves(axes, groups, metric, scale=100)
        axes.set_ylabel(labels[metric])
        if values.size and values.max() > 10 * values.min() > 0:
            figures.logarithmic(axes.yaxis)
        else:
            axes.set_ylim(bottom=0)
    note = figures.seeds(records)
    figures.save(figure, path, f"How much do the masks change?{note}")


def density_over_time(record, path):
    """Draws the density of every kernel after each epoch of one run.

    Of more than six kernels, those whose density changes most have a colour.

    Args:
        record: `Record`.
        path: Path of the image.
    """
    kernels = {
        name.removeprefix("density/"): np.asarray(values)
        for name, values in record.history.items()
        if name.startswith("density/")
    }
    change = {name: np.ptp(np.log(v)) for name, v in kernels.items()}
    ranked = sorted(kernels, key=lambda name: -change[name])
    shown = [n for n in kernels if n in ranked[: styles.MOST_SERIES]]
    coloured = styles.shades(shown)
    grey = styles.GREY, "others: all other kernels"
    figure, axes = figures.new_figure(1, 1)
    for name, values in kernels.items():
        style, label = coloured.get(name, grey)
        axes[0, 0].plot(
            range(1, len(values) + 1),
            values,
            color=style.colour,
            zorder=1 if style == styles.GREY else 2,
            linewidth=2,
            label=label,
        )
    axes[0, 0].xaxis.get_major_locator().set_params(integer=True)
    axes[0, 0].set_xlabel("epoch")
    axes[0, 0].set_ylabel("density, active / all connections")
    axes[0, 0].set_title(str(grouping.group_key(record)))
    figures.logarithmic(axes[0, 0].yaxis)
    figures.save(figure, path, "How does the density of each layer change?")


def moves_masks(record):
    """Returns whether the masks of a run differ from the first ones."""
    return min(record.history.get("kept", [1.0])) < 1


def changes(record, metric):
    """Returns whether a metric changes by more than one per cent."""
    values = record.history.get(metric, [1.0])
    return max(values) > 1.01 * min(values)


def _curves(axes, groups, metric, scale=1, by_step=False):
    """Draws a mean and a range for each group; returns all means."""
    drawn = []
    for runs, style, label in groups.values():
        curves = [r.history[metric] for r in runs if metric in r.history]
        if not curves:
            continue
        length = min(map(len, curves))
        curves = scale * np.asarray([curve[:length] for curve in curves])
        x = np.arange(1, length + 1)
        if by_step:
            x *= runs[0].steps // len(runs[0].history[metric])
        drawn.append(curves.mean(0))
        axes.plot(
            x,
            drawn[-1],
            color=style.colour,
            linestyle=style.line,
            marker="o" if length == 1 else "",  # no line to see
            zorder=1 if style == styles.GREY else 2,
            label=label,
        )
        if style != styles.GREY:
            axes.fill_between(
                x,
                curves.min(0),
                curves.max(0),
                color=style.colour,
                alpha=0.15,
                linewidth=0,
            )
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("step" if by_step else "epoch")
    return np.concatenate(drawn) if drawn else np.array([])
