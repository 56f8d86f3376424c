"""Plots of accuracy against density, FLOPs or learning rate."""

import collections

import numpy as np

from rigl_tf.results import grouping
from rigl_tf.results.plots import figures

_CHECKS = {
    "shuffle": "shuffled",
    "reinitialize": "other weights",
    "kaiming": "Kaiming weights",
    "invert": "scores inverted",
}


def accuracy_by_density(records, path):
    """Draws test accuracy against density, in panels by distribution.

    A cross is a run. A line is the mean over seeds.

    Args:
        records: List of `Record`, all of one task.
        path: Path of the image.
    """
    _by_density(records, path, _after, "test accuracy, %")


def before_by_density(records, path):
    """Draws the test accuracy of untrained tickets against density.

    Args:
        records: List of `Record` with tickets, all of one task.
        path: Path of the image.
    """
    label = "test accuracy before training, %"
    _by_density(records, path, _before, label)


def checks_by_density(records, path):
    """Draws the accuracy after sanity checks, in panels by method.

    Args:
        records: List of `Record` with tickets, all of one task.
        path: Path of the image.
    """
    records = [r for r in records if r.ticket.get("checks")]
    methods = sorted({r.method for r in records})
    figure, panels = figures.tiled(len(methods), width=4.5)
    checks = dict.fromkeys([*_CHECKS, *sum(map(_checks, records), [])])
    names = ["as found", *(_CHECKS.get(check, check) for check in checks)]
    styled = dict(zip(names, figures.styles(names[1:]).values(), strict=True))
    for panel, method in zip(panels, methods, strict=False):
        lines = collections.defaultdict(list)
        for runs in grouping.group(
            r for r in records if r.method == method
        ).values():
            lines["as found"].append([(_density(r), _after(r)) for r in runs])
            # Seeds may have other checks.
            for check in dict.fromkeys(sum(map(_checks, runs), [])):
                lines[_CHECKS.get(check, check)].append(
                    [
                        (_density(r), _check(r, check))
                        for r in runs
                        if check in _checks(r)
                    ]
                )
        for name, points in lines.items():
            _line(panel, points, name, styled[name])
        panel.set_title(method)
        _density_axis(panel, records)
        panel.set_ylabel("test accuracy, %")
    figures.save(figure, path)


def accuracy_by_flops(records, path):
    """Draws test accuracy against the FLOPs of search and training.

    Args:
        records: List of `Record`, all of one task.
        path: Path of the image.
    """
    figures.check_one_task(grouping.group(records))
    figure, axes = figures.new_figure(1, 1)
    _lines(
        axes[0, 0],
        records,
        lambda r: r.relative_flops["total"],
        _after,
        lambda group, _: (
            f"{group.label} {grouping.short_name(group.distribution)}".strip()
        ),
    )
    axes[0, 0].set_xlabel("FLOPs of search and training / FLOPs of dense")
    axes[0, 0].set_ylabel("test accuracy, %")
    figures.save(figure, path)


def accuracy_by_learning_rate(records, path):
    """Draws test accuracy against the learning rate, a line per sparsity.

    If other settings vary, the figure shows the runs of
    `grouping.best_by_learning_rate`.

    Args:
        records: List of `Record`, all of one task, with a setting
            `LEARNING_RATE`.
        path: Path of the image.
    """
    records = sum(grouping.best_by_learning_rate(records).values(), [])
    figures.check_one_task(grouping.group(records))
    names = sorted({r.distribution for r in records})
    figure, panels = figures.tiled(len(names), width=5)
    for panel, name in zip(panels, names, strict=True):
        _lines(
            panel,
            [r for r in records if r.distribution == name],
            lambda r: r.settings["LEARNING_RATE"],
            _after,
            lambda group, _: f"sparsity {group.sparsity:g}",
        )
        panel.set_xscale("log")
        panel.set_title(grouping.short_name(name))
        panel.set_xlabel("learning rate")
        panel.set_ylabel("test accuracy, %")
    figures.save(figure, path)


def _after(record):
    return 100 * record.test["accuracy"]


def _before(record):
    return 100 * record.ticket["before"]["accuracy"]


def _checks(record):
    """Returns the names of the sanity checks that have an accuracy."""
    checks = record.ticket["checks"]
    return [name for name in checks if "accuracy" in checks[name]]


def _check(record, name):
    return 100 * record.ticket["checks"][name]["accuracy"]


def _density(record):
    """Returns the density; for a ticket, it may be below the target."""
    density = 1 - record.sparsity
    # Matplotlib warns of a single density just below a power of ten.
    return record.ticket.get("density", round(density, 9))


def _by_density(records, path, value_of, ylabel):
    figures.check_one_task(grouping.group(records))
    dense = [r for r in records if not r.sparsity]
    sparse = [r for r in records if r.sparsity]
    if value_of is _before:
        sparse = [r for r in sparse if "accuracy" in r.ticket.get("before", {})]
        dense = []
    contents = sorted(
        {
            (r.training_multiplier, r.distribution)
            for r in sparse
            if r.distribution
        }
    ) or [(1, "")]
    figure, panels = figures.tiled(len(contents), width=5)
    groups = grouping.group(sparse)
    styled = figures.styles(_label(g, runs[0]) for g, runs in groups.items())
    for panel, (multiplier, name) in zip(panels, contents, strict=True):
        inside = [
            r
            for r in sparse
            # Runs without a distribution are in every panel.
            if r.training_multiplier == multiplier
            and r.distribution in ("", name)
        ]
        _lines(panel, inside, _density, value_of, _label, styled)
        if dense:
            panel.axhline(
                np.mean([value_of(r) for r in dense]),
                color="0.5",
                linewidth=1,
                label="dense",
            )
        suffix = f", {multiplier:g}x" if multiplier != 1 else ""
        panel.set_title(grouping.short_name(name) + suffix)
        _density_axis(panel, inside)
        panel.set_ylabel(ylabel)
    figures.save(figure, path)


def _label(group, record):
    """Returns a label without the training multiplier, as panels have it."""
    return f"{record.method} {group.settings}".strip()


def _density_axis(panel, records):
    ticks = sorted({round(1 - r.sparsity, 9) for r in records})
    panel.set_xscale("log")
    panel.set_xticks(ticks, [f"{tick:.3g}" for tick in ticks], fontsize=8)
    panel.set_xticks([], minor=True)
    panel.set_xlabel("density, active / all connections")


def _lines(panel, records, x_of, y_of, label_of, styled=None):
    lines = collections.defaultdict(list)
    for group, runs in grouping.group(records).items():
        points = [(x_of(record), y_of(record)) for record in runs]
        lines[label_of(group, runs[0])].append(points)
    styled = styled or figures.styles(lines)
    for label in sorted(lines):
        _line(panel, lines[label], label, styled[label])


def _line(panel, groups, label, style):
    """Draws the runs of every group as crosses, and their means as a line."""
    panel.plot(
        *np.transpose(sum(groups, [])),
        "x",
        color=style.colour,
        alpha=0.5,
        markersize=5,
    )
    panel.plot(
        *np.transpose(sorted(tuple(np.mean(points, 0)) for points in groups)),
        color=style.colour,
        linestyle=style.line,
        marker="o",
        markersize=4,
        linewidth=2,
        label=label,
    )
