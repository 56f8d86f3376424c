"""Plots of accuracy against method, density, FLOPs or learning rate."""

import collections

import numpy as np

from rigl_tf.results import grouping
from rigl_tf.results.plots import figures
from rigl_tf.results.plots import styles

_CHECKS = {
    "shuffle": "shuffled",
    "reinitialize": "other weights",
    "kaiming": "Kaiming weights",
    "invert": "scores inverted",
}


def accuracy_by_method(records, path):
    """Draws the test accuracy of every method, the best one at the top.

    Args:
        records: List of `Record`, all of one task. Each sparsity and
            distribution has a panel; dense runs are in every panel.
        path: Path of the image.
    """
    rows = len({group.label for group in grouping.group(records)})
    figure, panels = figures.by_setting(
        records, width=5.5, height=figures.height_of_rows(rows)
    )
    for panel, groups in panels:
        values = {
            group.label: [_after(run) for run in runs]
            for group, (runs, *_) in groups.items()
        }
        names = sorted(values, key=lambda name: -np.mean(values[name]))
        series = [
            (style, None, {group.label: values[group.label]})
            for group, (_, style, _) in groups.items()
        ]
        figures.dots(panel, names, series)
        means = [np.mean(each) for each in values.values()]
        figures.accuracy_axis(panel.xaxis, means)
    note = figures.seeds(records)
    figures.save(figure, path, f"Which method is the most accurate?{note}")


def accuracy_by_density(records, path):
    """Draws test accuracy against density, in panels by distribution.

    A line is the mean over seeds. Methods with runs at one density only are
    left out if others have several: `accuracy_by_method` shows them.

    Args:
        records: List of `Record`, all of one task.
        path: Path of the image.
    """
    question = "How does accuracy depend on density?"
    _by_density(records, path, _after, "test accuracy, %", question)


def before_by_density(records, path):
    """Draws the test accuracy of untrained tickets against density.

    Args:
        records: List of `Record` with tickets, all of one task.
        path: Path of the image.
    """
    label = "test accuracy before training, %"
    question = "How accurate are tickets before training?"
    _by_density(records, path, _before, label, question)


def checks_by_density(records, path):
    """Draws the accuracy after sanity checks, in panels by method.

    Args:
        records: List of `Record` with tickets, all of one task.
        path: Path of the image.
    """
    records = [r for r in records if r.ticket.get("checks")]
    methods = sorted({r.method for r in records})
    densities = [_row(s) for s in sorted({r.sparsity for r in records})]
    names = dict.fromkeys([*_CHECKS, *sum(map(_checks, records), [])])
    styled = styles.numbered([None, *names])  # `None` is without a check
    figure, panels = figures.tiled(
        len(methods),
        height=figures.height_of_rows(4 * len(densities)),
        shared="x",
    )
    everything = []
    for panel, method in zip(panels, methods, strict=False):
        values = {name: collections.defaultdict(list) for name in styled}
        for record in records:
            if record.method == method:
                # Seeds may have other checks.
                for name in (None, *_checks(record)):
                    row = values[name][_row(record.sparsity)]
                    row.append(_check(record, name))
        series = [
            (style, _CHECKS.get(name, name or "as found"), values[name])
            for name, style in styled.items()
            if values[name]
        ]
        figures.dots(panel, densities, series)
        panel.set_title(method)
        panel.set_ylabel("density")
        for each in values.values():
            everything += sum(each.values(), [])
    for panel in panels:
        figures.accuracy_axis(panel.xaxis, everything)
    question = "Does the accuracy survive the sanity checks?"
    figures.save(figure, path, question + figures.seeds(records))


def accuracy_by_flops(records, path):
    """Draws test accuracy against the FLOPs of search and training.

    Args:
        records: List of `Record`, all of one task.
        path: Path of the image.
    """
    groups = grouping.group(records)
    figures.check_one_task(groups)
    figure, axes = figures.new_figure(1, 1)
    lines = collections.defaultdict(list)
    for group, runs in groups.items():
        name = grouping.short_name(group.distribution)
        lines[f"{group.label} {name}".strip()].append(runs)
    styled = _choose(lines)
    _lines(axes[0, 0], lines, _relative_flops, _after, styled)
    axes[0, 0].set_xlabel("FLOPs of search and training / FLOPs of dense")
    figures.logarithmic(axes[0, 0].xaxis)
    figures.accuracy_axis(axes[0, 0].yaxis, map(_after, records))
    question = "Which accuracy does a method reach for its FLOPs?"
    figures.save(figure, path, question + figures.seeds(records))


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
    groups = grouping.group(records)
    figures.check_one_task(groups)
    names = sorted({r.distribution for r in records})
    sparsities = sorted({r.sparsity for r in records})
    shades = styles.shades(f"sparsity {s:g}" for s in sparsities)
    figure, panels = figures.tiled(len(names), width=5)
    for panel, name in zip(panels, names, strict=True):
        lines = collections.defaultdict(list)
        for group, runs in groups.items():
            if group.distribution == name:
                lines[f"sparsity {group.sparsity:g}"].append(runs)
        _lines(panel, lines, _learning_rate, _after, shades)
        panel.set_title(grouping.short_name(name))
        panel.set_xlabel("learning rate")
        figures.logarithmic(panel.xaxis)
        figures.accuracy_axis(panel.yaxis, map(_after, records))
    question = "Which learning rate is good at which sparsity?"
    figures.save(figure, path, question + figures.seeds(records))


def _after(record):
    return 100 * record.test["accuracy"]


def _before(record):
    return 100 * record.ticket["before"]["accuracy"]


def _checks(record):
    """Returns the names of the sanity checks that have an accuracy."""
    checks = record.ticket["checks"]
    return [name for name in checks if "accuracy" in checks[name]]


def _check(record, name):
    """Returns the accuracy after a check, or without one if it is `None`."""
    results = record.ticket["checks"][name] if name else record.test
    return 100 * results["accuracy"]


def _relative_flops(record):
    return record.relative_flops["total"]


def _learning_rate(record):
    return record.settings["LEARNING_RATE"]


def _row(sparsity):
    return f"{1 - sparsity:.3g}"


def _density(record):
    """Returns the density; for a ticket, it may be below the target."""
    density = 1 - record.sparsity
    # Matplotlib warns of a single density just below a power of ten.
    return record.ticket.get("density", round(density, 9))


def _by_density(records, path, value_of, label, question):
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
    lines = _lines_by_density(sparse)
    styled = _choose({**lines, "dense": [dense]} if dense else lines)
    figure, panels = figures.tiled(len(contents), width=5)
    for panel, (multiplier, name) in zip(panels, contents, strict=True):
        inside = [
            r
            for r in sparse
            # Runs without a distribution are in every panel.
            if r.training_multiplier == multiplier
            and r.distribution in ("", name)
        ]
        lines = _lines_by_density(inside)
        _lines(panel, lines, _density, value_of, styled, spread=0.02)
        if dense:
            panel.axhline(
                np.mean([value_of(r) for r in dense]),
                color=styles.DENSE.colour,
                linewidth=1,
                label="dense",
            )
        suffix = f", {multiplier:g}x" if multiplier != 1 else ""
        panel.set_title(grouping.short_name(name) + suffix)
        ticks = sorted({round(1 - r.sparsity, 9) for r in inside})
        figures.logarithmic(panel.xaxis)
        panel.set_xticks(ticks, [f"{t:.3g}" for t in ticks], fontsize=8)
        panel.set_xticks([], minor=True)
        panel.set_xlabel("density, active / all connections")
    values = [value_of(r) for r in [*sparse, *dense]]
    for panel in panels:
        figures.accuracy_axis(panel.yaxis, values, label)
    figures.save(figure, path, question + figures.seeds(sparse))


def _lines_by_density(records):
    """Returns the runs of each line; lines of one dot only if all are."""
    lines = collections.defaultdict(list)
    for group, runs in grouping.group(records).items():
        # Without the training multiplier, which the panel has.
        lines[f"{runs[0].method} {group.settings}".strip()].append(runs)
    return {n: each for n, each in lines.items() if len(each) > 1} or lines


def _choose(lines):
    return styles.choose({n: sum(groups, []) for n, groups in lines.items()})


def _lines(panel, lines, x_of, y_of, styled, spread=0.0):
    """Draws means as lines, and the ranges over seeds.

    Args:
        panel: A panel.
        lines: Dictionary from a label to a list of lists of `Record`.
        x_of: Function of a record.
        y_of: Function of a record.
        styled: Dictionary like those of `styles.choose`.
        spread: Float, the relative distance of lines at equal `x`.
    """
    for number, label in enumerate(sorted(lines)):
        style, text = styled[label]
        shift = 1 + spread * (number - (len(lines) - 1) / 2)
        points = []
        for group in lines[label]:
            y = [y_of(record) for record in group]
            x = np.mean([x_of(record) for record in group])
            points.append((shift * x, np.mean(y), np.min(y), np.max(y)))
        x, y, low, high = np.transpose(sorted(points))
        panel.errorbar(
            x,
            y,
            np.maximum([y - low, high - y], 0),
            color=style.colour,
            linestyle=style.line,
            marker=style.marker,
            markersize=4,
            linewidth=2,
            elinewidth=1,
            label=text,
            zorder=1 if style == styles.GREY else 2,
        )
