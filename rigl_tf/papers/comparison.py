"""Our numbers beside those that a paper prints."""

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
        of: Function of a `Record` to a number, or `None` if it has none.
    """

    title: str
    of: Callable


def _flops(what):
    return lambda record: record.relative_flops[what]


def _check(name):
    return lambda record: _per_cent(
        record.ticket.get("checks", {}).get(name, {})
    )


def _empty(what):
    """Per cent of inputs or outputs of all kernels without a connection."""

    def of(record):
        kernels = record.structure.values()
        everything = sum(kernel[what] for kernel in kernels)
        empty = sum(kernel[f"empty_{what}"] for kernel in kernels)
        return 100 * empty / everything if everything else None

    return of


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
    "training": Metric("FLOPs training, x", _flops("total")),
    "inference": Metric("FLOPs inference, x", _flops("inference")),
    "empty_outputs": Metric("empty neurons, %", _empty("outputs")),
    "empty_inputs": Metric("empty inputs, %", _empty("inputs")),
    "remaining": Metric("parameters left, M", _remaining),
}

# Columns of a paper that no run of ours can fill.
QUOTED = {
    "original": "accuracy of the first authors, paper",
    "wall_time": "wall time, x, paper",
}


def compare(item, found, with_difference=True):
    """The rows of a paper's table, ours beside the paper's.

    Args:
        item: `papers.Item`.
        found: Function of a `papers.Row` and the number of one of its
            sparsities to the list of `Record` of it.
        with_difference: Whether what was trained is the paper's task, so that
            a difference says something.

    Returns:
        List of tuples of strings, the first one a head. What was not run says
        so; what the paper does not print is empty.
    """
    if item.means:
        rows = _means(item, found, every_task=not with_difference)
    else:
        rows = _values(item, found)
    if with_difference:
        return rows
    return _without(rows, _DIFFERENCE)


_PAPER = ", paper"
_DIFFERENCE = ", difference"


def _without(rows, ending):
    """The rows of a table without the columns whose title ends so."""
    left = [i for i, title in enumerate(rows[0]) if not title.endswith(ending)]
    return [tuple(row[i] for i in left) for row in rows]


def _values(item, found):
    """Every row of a table at every sparsity."""
    printed = {name for row in item.rows for name in row.printed}
    metrics = [name for name in METRICS if name in printed] or ["accuracy"]
    quoted = [name for name in QUOTED if name in printed]
    with_task = len({row.task for row in item.rows}) > 1
    head = ["task"] if with_task else []
    head += ["row", "sparsity", "seeds"]
    for name in metrics:
        head += _columns(METRICS[name].title)
    head += [QUOTED[name] for name in quoted]
    rows = [tuple(head)]
    for row, number in _in_order(item.rows):
        name, records = best(row, found(row, number))
        cells = [row.task] if with_task else []
        cells += [name, _sparsity(row, number), str(len(records))]
        for name in metrics:
            ours = [METRICS[name].of(record) for record in records]
            ours = [value for value in ours if value is not None]
            deviation = "deviation" if name == "accuracy" else None
            cells += _beside(
                ours,
                _at(row.printed, name, number),
                _at(row.printed, deviation, number),
                is_doubtful=_is_doubtful(row, name, number),
            )
        for name in quoted:
            value = _at(row.printed, name, number)
            doubtful = _is_doubtful(row, name, number)
            cells.append(_beside([], value, is_doubtful=doubtful)[1])
        rows.append(tuple(cells))
    if not any(row.printed for row in item.rows):
        rows = _without(_without(rows, _PAPER), _DIFFERENCE)
    return rows


def best(row, records):
    """Of the runs of a row that is tuned, those with the best settings.

    Args:
        row: `papers.Row`.
        records: List of `Record`.

    Returns:
        The row's name, with the settings, and a list of `Record`.
    """
    if not row.tuned or not records:
        return row.name, records
    by_values = collections.defaultdict(list)
    for record in records:
        values = tuple(record.settings[name] for name in row.tuned)
        by_values[values].append(record)
    values, runs = max(
        by_values.items(),
        key=lambda item: statistics.mean(run.validated for run in item[1]),
    )
    return f"{row.name}: {', '.join(f'{value:.3g}' for value in values)}", runs


def _means(item, found, every_task):
    """The means over tasks of rows that have the same name.

    A difference is of the means over all tasks that the paper's mean is over:
    with `every_task`, all; otherwise those of `_is_in_mean`.
    """
    rows = [("row", "sparsity", "tasks", *_columns("mean accuracy, %"))]
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
                statistics.mean(METRICS["accuracy"].of(r) for r in records)
                for records in (found(row, number) for row in alike)
                if records
            ]
            ours = [statistics.mean(means)] if means else []
            cells = _beside(ours, _at(item.means, name, number))
            if len(means) < len(alike):  # a mean of others
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
    """Whether some method could fit the row's task as the row has it.

    It could if a row of the same task, sparsity and settings, whatever its
    method, has a printed accuracy. Without any printed, every task counts.
    """
    alike = [
        (other.task, _at(other.printed, "accuracy", number))
        for other in item.rows
        if (other.sparsity, other.set) == (row.sparsity, row.set)
        and "accuracy" in other.printed
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
    """Every row at its first sparsity, then at its second, and so on."""
    for number in range(max(len(row.settings) for row in rows)):
        for row in rows:
            if number < len(row.settings):
                yield row, number


def _sparsity(row, number):
    return f"{row.sparsity[number]:g}" if row.sparsity else ""


def _at(printed, name, number):
    """What a paper prints: a number, text, or `nan` for nothing."""
    return printed[name][number] if name in printed else math.nan


def _is_doubtful(row, name, number):
    """Whether the paper contradicts itself in a number that it prints."""
    sparsity = row.sparsity[number] if row.sparsity else 0
    return sparsity in row.doubtful.get(name, ())


def _beside(ours, printed, deviation=math.nan, is_doubtful=False):
    """Ours, the paper's and the difference, unless that makes no sense."""
    cell = NOT_RUN
    if ours:
        cell = f"{statistics.mean(ours):.2f}"
    if len(ours) > 1:
        cell += f" ± {statistics.stdev(ours):.2f}"
    if isinstance(printed, str):
        return cell, printed, ""
    if math.isnan(printed):
        return cell, "", ""
    text = f"{printed}"
    if not math.isnan(deviation):
        text += f" ± {deviation}"
    if is_doubtful or not ours:
        return cell, f"{text}{' (in doubt)' * is_doubtful}", ""
    return cell, text, f"{statistics.mean(ours) - printed:+.2f}"
