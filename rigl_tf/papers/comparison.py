"""Comparison of our numbers with the numbers of a paper."""

import collections
import math
import statistics
from collections.abc import Callable
from typing import NamedTuple

NOT_RUN = "not run"


class Metric(NamedTuple):
    """A column of a paper's table.

    Attributes:
        title: String, with the unit.
        value: Function from a `Record` to a number, or to `None` if the record
            does not have the metric.
    """

    title: str
    value: Callable


def _flops(phase):
    return lambda record: record.relative_flops[phase]


def _check(name):
    return lambda record: _per_cent(
        record.ticket.get("checks", {}).get(name, {})
    )


def _empty(side):
    """Returns a function to the per cent of inputs or outputs that are empty.

    An input or output is empty if no connection of its kernel uses it.
    """

    def per_cent(record):
        kernels = record.structure.values()
        total = sum(kernel[side] for kernel in kernels)
        empty = sum(kernel[f"empty_{side}"] for kernel in kernels)
        return 100 * empty / total if total else None

    return per_cent


def _remaining(record):
    kernels = record.structure.values()
    return sum(kernel["remaining"] for kernel in kernels) / 1e6 or None


def _per_cent(metrics):
    return 100 * metrics["accuracy"] if "accuracy" in metrics else None


METRICS = {
    "accuracy": Metric("accuracy, %", lambda r: _per_cent(r.test)),
    "before": Metric(
        "before training, %", lambda r: _per_cent(r.ticket.get("before", {}))
    ),
    "shuffle": Metric("shuffled, %", _check("shuffle")),
    "reinitialize": Metric("other weights, %", _check("reinitialize")),
    "kaiming": Metric("weights of He, %", _check("kaiming")),
    "invert": Metric("inverted, %", _check("invert")),
    "training": Metric("FLOPs training, x", _flops("total")),
    "inference": Metric("FLOPs inference, x", _flops("inference")),
    "empty_outputs": Metric("empty neurons, %", _empty("outputs")),
    "empty_inputs": Metric("empty inputs, %", _empty("inputs")),
    "remaining": Metric("parameters left, M", _remaining),
}

# Columns of a paper that our runs cannot fill.
QUOTED = {
    "original": "accuracy of the first authors, paper",
    "wall_time": "wall time, x, paper",
}


def compare(item, find_records, with_difference=True):
    """Returns a paper's table with our values next to the paper's.

    Args:
        item: `papers.PaperItem`.
        find_records: Function from a `papers.TableRow` and the index of one of
            its sparsities to a list of `Record`.
        with_difference: Boolean, whether to add the differences. They are only
            meaningful if the runs train the paper's task.

    Returns:
        List of tuples of strings; the first is the header. A cell says
        `NOT_RUN` if there is no run, and is empty if the paper reports no
        value.
    """
    if item.means:
        rows = _means(item, find_records, every_task=not with_difference)
    else:
        rows = _values(item, find_records)
    if with_difference:
        return rows
    return _drop_columns(rows, _DIFFERENCE)


_PAPER = ", paper"
_DIFFERENCE = ", difference"


def _drop_columns(rows, ending):
    """Removes the columns of a table whose title has the given ending."""
    kept = [i for i, title in enumerate(rows[0]) if not title.endswith(ending)]
    return [tuple(row[i] for i in kept) for row in rows]


def _values(item, find_records):
    """Returns the table with every row at every sparsity."""
    reported = {name for row in item.rows for name in row.reported}
    metrics = [name for name in METRICS if name in reported] or ["accuracy"]
    quoted = [name for name in QUOTED if name in reported]
    with_task = len({row.task for row in item.rows}) > 1
    head = ["task"] if with_task else []
    head += ["row", "sparsity", "seeds"]
    for name in metrics:
        head += _columns(METRICS[name].title)
    head += [QUOTED[name] for name in quoted]
    rows = [tuple(head)]
    for row, number in _in_order(item.rows):
        name, records = best_runs(row, find_records(row, number))
        cells = [row.task] if with_task else []
        cells += [name, _sparsity(row, number), str(len(records))]
        for name in metrics:
            ours = [METRICS[name].value(record) for record in records]
            ours = [value for value in ours if value is not None]
            deviation = "deviation" if name == "accuracy" else None
            cells += _format_cells(
                ours,
                _reported_value(row.reported, name, number),
                _reported_value(row.reported, deviation, number),
                is_doubtful=_is_doubtful(row, name, number),
            )
        for name in quoted:
            value = _reported_value(row.reported, name, number)
            doubtful = _is_doubtful(row, name, number)
            cells.append(_format_cells([], value, is_doubtful=doubtful)[1])
        rows.append(tuple(cells))
    if not any(row.reported for row in item.rows):
        rows = _drop_columns(_drop_columns(rows, _PAPER), _DIFFERENCE)
    return rows


def best_runs(row, records):
    """Selects the runs of a tuned row that have the best settings.

    The best settings have the highest mean validation accuracy.

    Args:
        row: `papers.TableRow`.
        records: List of `Record`.

    Returns:
        The row's name with the settings, and a list of `Record`.
    """
    if not row.tuned or not records:
        return row.name, records
    by_values = collections.defaultdict(list)
    for record in records:
        values = tuple(record.settings[name] for name in row.tuned)
        by_values[values].append(record)
    values, runs = max(
        by_values.items(),
        key=lambda item: statistics.mean(
            run.final_val_accuracy for run in item[1]
        ),
    )
    return f"{row.name}: {', '.join(f'{value:.3g}' for value in values)}", runs


def _means(item, find_records, every_task):
    """Returns the table of means over tasks, one row for each name.

    A row has a difference only if our mean is over the same tasks as the
    paper's mean. These are all tasks with `every_task`, otherwise the tasks
    that `_is_in_mean` selects.
    """
    rows: list[tuple[str, ...]] = [
        ("row", "sparsity", "tasks", *_columns("mean accuracy, %"))
    ]
    names = dict.fromkeys(row.name for row in item.rows)
    for number in range(max(len(values) for values in item.means.values())):
        for name in names:
            alike = [row for row in item.rows if row.name == name]
            if number >= len(alike[0].settings):
                continue
            first = alike[0]
            alike = [
                row
                for row in alike
                if every_task or _is_in_mean(item, row, number)
            ]
            means = [
                statistics.mean(METRICS["accuracy"].value(r) for r in records)
                for records in (find_records(row, number) for row in alike)
                if records
            ]
            ours = [statistics.mean(means)] if means else []
            cells = _format_cells(
                ours, _reported_value(item.means, name, number)
            )
            if len(means) < len(alike):  # a mean over fewer tasks
                cells = (*cells[:-1], "")
            rows.append(
                (
                    name,
                    _sparsity(first, number),
                    f"{len(means)} of {len(alike)}",
                    *cells,
                )
            )
    return rows


def _is_in_mean(item, row, number):
    """Returns whether the paper's mean includes the row's task.

    It includes the task if the paper reports an accuracy for the task with
    the same sparsity and settings, for any method. If the paper reports no
    accuracy at all, the mean includes every task.
    """
    alike = [
        (other.task, _reported_value(other.reported, "accuracy", number))
        for other in item.rows
        if (other.sparsity, other.set) == (row.sparsity, row.set)
        and "accuracy" in other.reported
    ]
    fitted = {
        task
        for task, value in alike
        if not isinstance(value, str) and not math.isnan(value)
    }
    return row.task in fitted or not alike


def _columns(title):
    name = title.split(",")[0]
    return title, f"{name}{_PAPER}", f"{name}{_DIFFERENCE}"


def _in_order(rows):
    """Yields every row at its first sparsity, then at its second, ..."""
    for number in range(max(len(row.settings) for row in rows)):
        for row in rows:
            if number < len(row.settings):
                yield row, number


def _sparsity(row, number):
    return f"{row.sparsity[number]:g}" if row.sparsity else ""


def _reported_value(reported, name, number):
    """Returns the paper's value: a number, text, or `nan` for no value."""
    return reported[name][number] if name in reported else math.nan


def _is_doubtful(row, name, number):
    """Returns whether the paper contradicts itself about a value."""
    sparsity = row.sparsity[number] if row.sparsity else 0
    return sparsity in row.doubtful.get(name, ())


def _format_cells(ours, reported, deviation=math.nan, is_doubtful=False):
    """Formats our value, the paper's value and the difference.

    The difference is empty if a value is missing or doubtful.
    """
    cell = NOT_RUN
    if ours:
        cell = f"{statistics.mean(ours):.2f}"
    if len(ours) > 1:
        cell += f" ± {statistics.stdev(ours):.2f}"
    if isinstance(reported, str):
        return cell, reported, ""
    if math.isnan(reported):
        return cell, "", ""
    text = f"{reported}"
    if not math.isnan(deviation):
        text += f" ± {deviation}"
    if is_doubtful or not ours:
        return cell, f"{text}{' (in doubt)' * is_doubtful}", ""
    return cell, text, f"{statistics.mean(ours) - reported:+.2f}"
