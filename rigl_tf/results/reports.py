"""Tables of the results of runs."""

import statistics

from rigl_tf.results import grouping
from rigl_tf.utils import text_tables


def table(records, formatter=text_tables.markdown):
    """Formats a table of runs, with mean and deviation over seeds.

    Args:
        records: List of `Record`.
        formatter: Function, a value of `text_tables.FORMATS`.

    Returns:
        String. Accuracy is in per cent, with the sample standard deviation.
        FLOPs are relative to the dense model. With tickets, the table has
        columns for the FLOPs of the search, of training and of both.
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
    for group, runs in grouping.group(records).items():
        costs = [run.relative_flops for run in runs]
        rows.append(
            (
                group.task,
                group.label,
                grouping.short_name(group.distribution),
                f"{group.sparsity:g}",
                _per_cent([run.test for run in runs]),
                str(len(runs)),
                f"{statistics.mean(r.parameters['active'] for r in runs):,.0f}",
                *(
                    f"{statistics.mean(cost[phase] for cost in costs):.4f}x"
                    for phase in phases
                ),
            )
        )
    return formatter(rows)


def test_result(record):
    """Returns the test accuracy of a run as text, or its other results."""
    if "accuracy" in record.test:
        return f"test accuracy {100 * record.test['accuracy']:.2f} %"
    return ", ".join(
        f"test {name} {value:.4g}" for name, value in record.test.items()
    )


def comparison(records, metric="accuracy", formatter=text_tables.markdown):
    """Formats a table of methods (rows) by settings (columns).

    Args:
        records: List of `Record`, all of one task.
        metric: String, a key of `Record.test`.
        formatter: Function, a value of `text_tables.FORMATS`.

    Returns:
        String. The metric is in per cent: mean and sample standard deviation
        over seeds. Dense networks have the same value in every column.
    """
    groups = grouping.group(records)
    columns = [
        setting
        for setting in grouping.settings(groups)
        if not setting.sparsity
        or any(g.sparsity and g.is_compared_in(setting) for g in groups)
    ]
    rows = [(f"{metric}, %", *map(str, columns))]
    for method in dict.fromkeys(group.label for group in sorted(groups)):
        row = [method]
        for column in columns:
            cells = [
                _per_cent([run.test for run in runs], metric)
                for group, runs in groups.items()
                if group.label == method and group.is_compared_in(column)
            ]
            row.append(", ".join(cells))
        rows.append(tuple(row))
    return formatter(rows)


def tickets(records, formatter=text_tables.markdown):
    """Formats a table of tickets.

    Args:
        records: List of `Record`. Records without a ticket are ignored.
        formatter: Function, a value of `text_tables.FORMATS`.

    Returns:
        String: test accuracy in per cent before training, after training, and
        after training the modified ticket of each sanity check. Empty without
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
    rows: list[tuple[str, ...]] = [
        (*columns, "before training, %", "after, %", *checks)
    ]
    for group, runs in groups.items():
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
                group.task,
                group.label,
                f"{group.sparsity:g}",
                str(runs[0].ticket["epochs"]),
                str(len(runs)),
                *map(_per_cent, outcomes),
            )
        )
    return formatter(rows)


def learning_rates(records, formatter=text_tables.markdown):
    """Formats a table of test accuracy by learning rate, in per cent.

    Args:
        records: List of `Record`, all of one task, with a setting
            `LEARNING_RATE`. If other settings vary, the table shows the runs
            of `grouping.best_by_learning_rate`.
        formatter: Function, a value of `text_tables.FORMATS`.

    Returns:
        String.
    """
    best = grouping.best_by_learning_rate(records)
    rates = sorted({rate for _, rate in best})
    rows = [("learning rate", *(f"{rate:g}" for rate in rates))]
    for group in sorted({group for group, _ in best}):
        cells = [
            _per_cent([run.test for run in best.get((group, rate), ())])
            for rate in rates
        ]
        rows.append((str(group), *cells))
    return formatter(rows)


def _per_cent(results, metric="accuracy"):
    """Formats a metric over several results; empty if no result has it."""
    values = [100 * result[metric] for result in results if metric in result]
    return format_mean_std(values) if values else ""


def format_mean_std(values):
    """Formats the mean and, for several values, the standard deviation.

    Args:
        values: List of floats, at least one.

    Returns:
        String with two decimals. The deviation is the sample standard
        deviation.
    """
    if len(values) == 1:
        return f"{values[0]:.2f}"
    return f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}"
