"""Tables and figures of the papers, and the runs that they take."""

import ast
import dataclasses
import re

import gin
from absl import flags

from rigl_tf import papers
from rigl_tf import smoke
from rigl_tf.bin import configs
from rigl_tf.bin import grids
from rigl_tf.datasets import prepared

_PAPER = flags.DEFINE_string(
    "paper", None, "Whose, such as rigl_reproduction; rigl-papers lists them."
)
_TABLE = flags.DEFINE_string("table", None, "A table of --paper, such as 2.")
_FIGURE = flags.DEFINE_string("figure", None, "A figure of --paper, such as 1.")
_ON = flags.DEFINE_string(
    "on",
    None,
    "Another task than the paper's, such as digits_mlp; a gin file is code.",
)


def files():
    """Dictionary from the name of a paper to its `tables.toml`."""
    found = sorted((configs.folder() / "papers").glob("*/tables.toml"))
    return {path.parent.name: path for path in found}


def paper():
    """The name that --paper gives and its `Paper`; `None` for both without.

    Raises:
        ValueError: If there is no such paper.
    """
    if _PAPER.value is None:
        if _TABLE.value or _FIGURE.value or _ON.value:
            raise ValueError(
                f"Say of which paper: --paper, one of {', '.join(files())}."
            )
        return None, None
    if _PAPER.value not in files():
        raise ValueError(
            f"--paper must be one of {', '.join(files())}. "
            f"Received: --paper={_PAPER.value}."
        )
    return _PAPER.value, papers.read(files()[_PAPER.value])


def given():
    """Whether --table or --figure is given."""
    return bool(_TABLE.value or _FIGURE.value)


def item(of):
    """The `Item` of a `Paper` that --table or --figure gives.

    Raises:
        ValueError: If none is given, or the paper has none of that name.
    """
    if bool(_TABLE.value) == bool(_FIGURE.value):
        raise ValueError(
            "Say which one of the paper: --table=2, or --figure=1. It has: "
            f"{', '.join(of.items)}."
        )
    flag = "table" if _TABLE.value else "figure"
    value = _TABLE.value or _FIGURE.value
    for name in (f"{flag.capitalize()} {value}", value):
        if name in of.items:
            return of.items[name]
    raise ValueError(
        f"The paper has: {', '.join(of.items)}. Received: --{flag}={value}."
    )


def task():
    """The task that --on gives, or `None`."""
    if _ON.value is not None:
        configs.find("tasks", _ON.value)  # or says which there are
    return _ON.value


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
    found = grids.Run(
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
        configs.find("tasks", one.task),
        configs.find("methods", one.method),
    ]
    with prepared.faked(smoke.EXAMPLES):
        with configs.parsed(names, one.bindings("")):
            return (
                gin.query_parameter("training.Task.name"),
                _method_name(),
                configs.macros(),
            )


def _method_name():
    made = gin.query_parameter("training.train.method")
    if made is None:
        return "dense"
    kind = re.sub(r"^@|\(\)$", "", repr(made)).split("/")[-1]
    return gin.query_parameter(f"{kind}.name")
