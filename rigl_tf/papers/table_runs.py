"""The runs of a table or a figure of a paper."""

import ast
import dataclasses
import re

from rigl_tf.datasets import prepared
from rigl_tf.experiments import smoke_test
from rigl_tf.experiments import sweep_grid
from rigl_tf.gin_tools import config_files


def files():
    """Dictionary from the name of a paper to its `tables.toml`."""
    found = sorted((config_files.folder() / "papers").glob("*/tables.toml"))
    return {path.parent.name: path for path in found}


def run(row, number, seed, task=None, rows=()):
    """A run of a row.

    Args:
        row: `papers.Row`.
        number: Integer, which of its sparsities.
        seed: Integer.
        task: String, another task to train on. If the method has a schedule
            in epochs and fractions of training, it stays; otherwise the
            library's own file of the method takes its place, because steps are
            the paper's.
        rows: Those among which the row's source is.

    Returns:
        `grids.Run`.
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
        source = run(other, number, seed, task, rows)
    found = sweep_grid.Run(
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
        return found
    _, method, settings = described(found)
    if settings.get("INTERVAL", 0) is None and settings["END_STEP"] is None:
        method = row.method
    return dataclasses.replace(found, task=task, method=method)


def on(of, task):
    """An `Item` with every row once, as another task stands for all of it."""
    if task is None:
        return of
    first = {}
    for row in of.rows:
        first.setdefault((row.name, row.sparsity, row.source), row)
    return dataclasses.replace(of, rows=tuple(first.values()))


def runs(of, task=None):
    """Every run of an `Item`, each once."""
    return list(
        dict.fromkeys(
            run(row, number, seed, task, of.rows)
            for row in of.rows
            for number in range(len(row.settings))
            for seed in range(of.seeds)
        )
    )


def described(one):
    """What the record of a run says: its task, its method and its settings."""
    names = [
        config_files.find("tasks", one.task),
        config_files.find("methods", one.method),
    ]
    with prepared.mock_data(smoke_test.EXAMPLES):
        with config_files.parsed(names, one.bindings("")):
            return (
                config_files.parameter("experiments.Task.name"),
                _method_name(),
                config_files.macros(),
            )


def _method_name():
    made = config_files.parameter("experiments.train.method")
    if made is None:
        return "dense"
    kind = re.sub(r"^@|\(\)$", "", repr(made)).split("/")[-1]
    return config_files.parameter(f"{kind}.name")
