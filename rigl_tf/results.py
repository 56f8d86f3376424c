"""A run's record: written once, read by many, made into tables."""

import collections
import dataclasses
import json
import os
import pathlib
import statistics
from typing import NamedTuple

from rigl_tf import locks
from rigl_tf import tables

SCHEMA_VERSION = 1
RECORD = "record.json"
SHORT = {"erdos_renyi_kernel": "ERK", "erdos_renyi": "ER"}
CONFIG = "config.gin"


@dataclasses.dataclass(frozen=True)
class Record:
    """What a finished run leaves behind.

    Attributes:
        task: String, its name.
        method: String, its name; `"dense"` for the baseline.
        distribution: String, the function that shares the sparsity among
            layers; empty where there are no masks.
        sparsity: Float, the fraction of zeros asked for; 0 for dense.
        extension: Number, how many times as long training took as is usual.
        seed: Integer.
        test: Dictionary from metric to its value on the test set.
        history: Dictionary from metric to its value after each epoch.
        densities: Dictionary from kernel to its final density.
        structure: Dictionary from kernel to what `rigl_tf.summary` says of
            its mask: `empty_outputs`, `remaining` and so on.
        parameters: Dictionary: `active`, `dense`, biases included.
        flops: Dictionary: `inference`, `inference_dense`, `training`,
            `training_dense`, each for one example, and `convention`.
        steps: Integer, optimizer steps, updates included.
        seconds: Float, wall time of training. That of a run that was stopped
            and went on counts up to its last checkpoint, and from there.
        versions: Dictionary from package to version.
        device: String.
        ticket: Dictionary of a network that was found before it was trained:
            `epochs` of the search, the history of the `search`, and metrics
            on the test set: `before` training, and after each of the
            `checks`, in dictionaries. Else empty.
        schema_version: Integer.
    """

    task: str
    method: str
    distribution: str
    sparsity: float
    extension: float
    seed: int
    test: dict
    history: dict
    densities: dict
    structure: dict
    parameters: dict
    flops: dict
    steps: int
    seconds: float
    versions: dict
    device: str
    ticket: dict = dataclasses.field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    @property
    def kind(self):
        """What runs that differ only in their seed have in common."""
        method = self.method
        if self.extension != 1:
            method += f"_{self.extension:g}x"
        return Kind(self.task, self.sparsity, method, self.distribution)


class Kind(NamedTuple):
    """A row of a table; sorts the dense baseline of a task first."""

    task: str
    sparsity: float
    method: str
    distribution: str

    def __str__(self):
        return f"{self.method} {Setting(*self[1::2])}".strip()

    def compares_in(self, setting):
        """Whether it belongs there: dense belongs everywhere."""
        return self.sparsity in (0, setting.sparsity) and (
            self.distribution in ("", setting.distribution)
        )


class Setting(NamedTuple):
    """What methods are compared in."""

    sparsity: float
    distribution: str

    def __str__(self):
        words = [f"{self.sparsity:g}"] if self.sparsity else []
        if self.distribution:
            words.append(SHORT.get(self.distribution, self.distribution))
        return " ".join(words)


def settings(kinds):
    """The settings of kinds: every distribution at every sparsity."""
    sparsities = sorted({k.sparsity for k in kinds if k.sparsity}) or [0.0]
    names = sorted({k.distribution for k in kinds if k.distribution}) or [""]
    return [Setting(s, name) for name in names for s in sparsities]


def claim(directory, resume, config=None):
    """Makes sure that a run may write to a directory.

    Args:
        directory: Path of the run.
        resume: Whether an existing run may go on.
        config: String, the run's configuration, a setting a line. `None` if
            it is not known.

    Returns:
        The `Record` if the run is finished already, else `None`.

    Raises:
        FileExistsError: If there is a run and it may not go on, because
            `resume` is not set or it began with another configuration.
    """
    directory = pathlib.Path(directory)
    there = set(directory.iterdir()) if directory.exists() else set()
    if there - {directory / locks.NAME}:
        if not resume:
            raise FileExistsError(
                f"{directory} holds a run already. Choose another "
                "--output_dir, or pass --resume to go on with it."
            )
        _check_same_config(directory, config)
        return find(directory)
    directory.mkdir(parents=True, exist_ok=True)
    return None


def find(directory):
    """The `Record` of the run in a directory if it is finished, or `None`."""
    path = pathlib.Path(directory) / RECORD
    return read(path) if path.exists() else None


def write(directory, record):
    """Writes a record into a run's directory."""
    text = json.dumps(dataclasses.asdict(record), indent=2, allow_nan=True)
    _replace(pathlib.Path(directory) / RECORD, text + "\n")


def write_config(directory, config):
    """Writes what `claim` compares when the run is to go on."""
    _replace(pathlib.Path(directory) / CONFIG, config)


def read(path):
    """Reads one record.

    Raises:
        ValueError: If the file is no record of this version.
    """
    try:
        values = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        record = Record(**values)
    except (TypeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a run's record: {error}.") from error
    if record.schema_version != SCHEMA_VERSION:
        raise ValueError(
            f"{path} has schema version {record.schema_version}; this version "
            f"of rigl_tf reads {SCHEMA_VERSION}."
        )
    return record


def read_all(directory):
    """Reads every record below a directory.

    Returns:
        Dictionary from the directory of a run to its `Record`, in the order
        of their paths.
    """
    paths = sorted(pathlib.Path(directory).rglob(RECORD))
    return {path.parent: read(path) for path in paths}


def group(records):
    """Records by `Kind`, in its order."""
    groups = collections.defaultdict(list)
    for record in records:
        groups[record.kind].append(record)
    return dict(sorted(groups.items()))


def table(records):
    """The records as a Markdown table, mean and deviation over seeds.

    Args:
        records: List of `Record`.

    Returns:
        String. Accuracy in per cent, with the sample standard deviation;
        FLOPs relative to the dense model.
    """
    rows = [
        (
            "task",
            "method",
            "distribution",
            "sparsity",
            "test accuracy, %",
            "seeds",
            "parameters active",
            "FLOPs inference",
            "FLOPs training",
        )
    ]
    for kind, runs in group(records).items():
        costs = [run.flops for run in runs]
        rows.append(
            (
                kind.task,
                kind.method,
                SHORT.get(kind.distribution, kind.distribution),
                f"{kind.sparsity:g}",
                _spread([100 * run.test["accuracy"] for run in runs]),
                str(len(runs)),
                f"{statistics.mean(r.parameters['active'] for r in runs):,.0f}",
                _relative(costs, "inference"),
                _relative(costs, "training"),
            )
        )
    return tables.markdown(rows)


def comparison(records, metric="accuracy"):
    """A Markdown table of methods against settings.

    Args:
        records: List of `Record`, of one task.
        metric: String, a key of `Record.test`.

    Returns:
        String. The metric in per cent: mean and sample standard deviation
        over seeds. Dense networks have the same in every column.
    """
    groups = group(records)
    columns = settings(groups)
    rows = [(f"{metric}, %", *map(str, columns))]
    for method in dict.fromkeys(kind.method for kind in sorted(groups)):
        row = [method]
        for column in columns:
            cells = [
                _spread([100 * run.test[metric] for run in runs])
                for kind, runs in groups.items()
                if kind.method == method and kind.compares_in(column)
            ]
            row.append(", ".join(cells))
        rows.append(tuple(row))
    return tables.markdown(rows)


def tickets(records):
    """A Markdown table of networks that were found before they were trained.

    Args:
        records: List of `Record`; only those of tickets are looked at.

    Returns:
        String: test accuracy in per cent before training, after it, and after
        the training of what sanity checks have spoilt. Empty if there are no
        tickets.
    """
    groups = group([record for record in records if record.ticket])
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
                kind.method,
                f"{kind.sparsity:g}",
                str(runs[0].ticket["epochs"]),
                str(len(runs)),
                *(
                    _spread([100 * metrics["accuracy"] for metrics in found])
                    if found
                    else ""
                    for found in outcomes
                ),
            )
        )
    return tables.markdown(rows)


def _replace(path, text):
    """Writes a file, all of it or nothing."""
    partial = path.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def _check_same_config(directory, config):
    path = directory / CONFIG
    if config is None or not path.exists():
        return
    there = path.read_text(encoding="utf-8").splitlines()
    here = config.splitlines()
    if there != here:
        raise FileExistsError(
            f"{directory} holds a run that began with another configuration: "
            f"{_only(there, here)} there, {_only(here, there)} here. Choose "
            "another --output_dir, or configure it as it was."
        )


def _only(lines, others):
    """The settings that are among the first lines only."""
    found = [line for line in lines if line not in others and line[:1] != "#"]
    return ", ".join(filter(None, found)) or "nothing more"


def _spread(values):
    if len(values) == 1:
        return f"{values[0]:.2f}"
    return f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}"


def _relative(costs, what):
    ratio = statistics.mean(c[what] / c[f"{what}_dense"] for c in costs)
    return f"{ratio:.4f}x"
