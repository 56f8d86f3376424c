"""The runs of a paper's table or figure."""

import ast
import dataclasses
import re

from rigl_tf.datasets import prepared
from rigl_tf.experiments import smoke_test
from rigl_tf.experiments import sweep_grid
from rigl_tf.gin_tools import config_files


def table_files():
    """Returns a dictionary from the name of a paper to its `tables.toml`."""
    paths = sorted((config_files.folder() / "papers").glob("*/tables.toml"))
    return {path.parent.name: path for path in paths}


def make_run(row, number, seed, task=None, rows=()):
    """Returns a run of a row.

    Args:
        row: `papers.TableRow`.
        number: Integer, the index of a sparsity of the row.
        seed: Integer.
        task: String, another task to train on, or `None`. If the schedule of
            the method counts steps, which only fit the paper's task, the
            library's own file of the method is used. A schedule in epochs and
            fractions of training does not change.
        rows: Sequence of `papers.TableRow` that contains the row's source.

    Returns:
        `sweep_grid.Run`.
    """
    settings = dict(row.set)
    distribution = settings.pop("DISTRIBUTION", None)
    variant = [f"{name}={value}" for name, value in settings.items()]
    source = None
    if row.source is not None:
        variant.append(f"source={row.source}")
        other = next(
            r for r in rows if (r.name, r.task) == (row.source, row.task)
        )
        source = make_run(other, number, seed, task, rows)
    run = sweep_grid.Run(
        task=row.task,
        method=row.method,
        distribution=distribution and ast.literal_eval(distribution),
        sparsity=row.sparsity[number] if row.sparsity else None,
        seed=seed,
        settings=tuple(f"{name} = {value}" for name, value in settings.items()),
        variant=",".join(variant),
        source=source,
    )
    if task is None:
        return run
    _, method, settings = describe(run)
    steps = [settings.get(name) for name in ("INTERVAL", "END_STEP")]
    counts_steps = any(isinstance(value, int) for value in steps)
    return dataclasses.replace(
        run, task=task, method=method if counts_steps else row.method
    )


def for_task(item, task):
    """Returns an item for one task: rows that differ only in the task merge.

    Args:
        item: `papers.PaperItem`.
        task: String, the task that replaces all tasks, or `None` for the item
            unchanged.

    Returns:
        `papers.PaperItem`.
    """
    if task is None:
        return item
    first = {}
    for row in item.rows:
        first.setdefault((row.name, row.sparsity, row.source), row)
    return dataclasses.replace(item, rows=tuple(first.values()))


def runs(item, task=None):
    """Returns all runs of a `papers.PaperItem`, without duplicates."""
    return list(
        dict.fromkeys(
            make_run(row, number, seed, task, item.rows)
            for row in item.rows
            for number in range(len(row.settings))
            for seed in range(item.seeds)
        )
    )


def describe(run):
    """Returns the task, method and settings that a run's record has."""
    names = [
        config_files.find("tasks", run.task),
        config_files.find("methods", run.method),
    ]
    with prepared.mock_data(smoke_test.EXAMPLES):
        bindings = run.bindings("")
        with config_files.parsed(names, bindings):
            return (
                config_files.parameter("experiments.Task.name"),
                _method_name(),
                config_files.settings(bindings),
            )


def _method_name():
    made = config_files.parameter("experiments.train.method")
    if made is None:
        return "dense"
    cls = re.sub(r"^@|\(\)$", "", repr(made)).split("/")[-1]
    return config_files.parameter(f"{cls}.name")
