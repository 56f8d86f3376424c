"""Tables of records."""

import statistics

from rigl_tf.results import grouping
from rigl_tf.utils import text_tables


def table(records, layout=text_tables.markdown):
    """The records as a table, mean and deviation over seeds.

    Args:
        records: List of `Record`.
        layout: One of `tables.FORMATS`.

    Returns:
        String. Accuracy in per cent, with the sample standard deviation;
        FLOPs relative to the dense model. If there are tickets, the FLOPs of
        their search come before those of training, and both are added up.
    """
    phases = ["inference", "training"]
    if any(record.relative_flops["search"] for record in records):
        phases = ["inference", "search", "training", "total"]
    rows = [
        (
            "task",
            "method",
            "distribution",
            "sparsity",
            "test accuracy, %",
            "seeds",
            "parameters active",
            *(f"FLOPs {phase}" for phase in phases),
        )
    ]
    for kind, runs in grouping.group(records).items():
        costs = [run.relative_flops for run in runs]
        rows.append(
            (
                kind.task,
                kind.label,
                grouping.short(kind.distribution),
                f"{kind.sparsity:g}",
                _per_cent([run.test for run in runs]),
                str(len(runs)),
                f"{statistics.mean(r.parameters['active'] for r in runs):,.0f}",
                *(
                    f"{statistics.mean(cost[phase] for cost in costs):.4f}x"
                    for phase in phases
                ),
            )
        )
    return layout(rows)


def comparison(records, metric="accuracy", layout=text_tables.markdown):
    """A table of methods against settings.

    Args:
        records: List of `Record`, of one task.
        metric: String, a key of `Record.test`.
        layout: One of `tables.FORMATS`.

    Returns:
        String. The metric in per cent: mean and sample standard deviation
        over seeds. Dense networks have the same in every column.
    """
    groups = grouping.group(records)
    columns = [
        setting
        for setting in grouping.settings(groups)
        if not setting.sparsity
        or any(k.sparsity and k.compares_in(setting) for k in groups)
    ]
    rows = [(f"{metric}, %", *map(str, columns))]
    for method in dict.fromkeys(kind.label for kind in sorted(groups)):
        row = [method]
        for column in columns:
            cells = [
                _per_cent([run.test for run in runs], metric)
                for kind, runs in groups.items()
                if kind.label == method and kind.compares_in(column)
            ]
            row.append(", ".join(cells))
        rows.append(tuple(row))
    return layout(rows)


def tickets(records, layout=text_tables.markdown):
    """A table of networks that were found before they were trained.

    Args:
        records: List of `Record`; only those of tickets are looked at.
        layout: One of `tables.FORMATS`.

    Returns:
        String: test accuracy in per cent before training, after it, and after
        the training of what sanity checks have spoilt. Empty if there are no
        tickets.
    """
    groups = grouping.group([record for record in records if record.ticket])
    checks = dict.fromkeys(
        check
        for runs in groups.values()
        for run in runs
        for check in run.ticket["checks"]
    )
    if not groups:
        return ""
    columns = ("task", "method", "sparsity", "search, epochs", "seeds")
    rows = [(*columns, "before training, %", "after, %", *checks)]
    for kind, runs in groups.items():
        outcomes = [
            [run.ticket["before"] for run in runs],
            [run.test for run in runs],
            *(
                [
                    run.ticket["checks"][check]
                    for run in runs
                    if check in run.ticket["checks"]
                ]
                for check in checks
            ),
        ]
        rows.append(
            (
                kind.task,
                kind.label,
                f"{kind.sparsity:g}",
                str(runs[0].ticket["epochs"]),
                str(len(runs)),
                *map(_per_cent, outcomes),
            )
        )
    return layout(rows)


def learning_rates(records, layout=text_tables.markdown):
    """A table of test accuracy by learning rate, in per cent.

    Args:
        records: List of `Record`, of one task, whose settings have a
            `LEARNING_RATE`. Of other settings that vary those count that
            `kinds.best_by_rate` finds.
        layout: One of `tables.FORMATS`.

    Returns:
        String.
    """
    best = grouping.best_by_rate(records)
    rates = sorted({rate for _, rate in best})
    rows = [("learning rate", *(f"{rate:g}" for rate in rates))]
    for kind in sorted({kind for kind, _ in best}):
        cells = [
            _per_cent([run.test for run in best.get((kind, rate), ())])
            for rate in rates
        ]
        rows.append((str(kind), *cells))
    return layout(rows)


def _per_cent(found, metric="accuracy"):
    """The spread of a metric over dictionaries; empty if none has it."""
    values = [100 * metrics[metric] for metrics in found if metric in metrics]
    return spread(values) if values else ""


def spread(values):
    """The mean and, of several, the sample standard deviation, in words."""
    if len(values) == 1:
        return f"{values[0]:.2f}"
    return f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}"
