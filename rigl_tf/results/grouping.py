"""Runs that differ in nothing but their seed."""

import collections
import os
import pathlib
import statistics
from typing import NamedTuple

_SHORT = {"erdos_renyi_kernel": "ERK", "erdos_renyi": "ER"}
# Settings that a kind has a place for, or that it leaves out.
_PLACED = ("SEED", "SPARSITY", "DISTRIBUTION", "EXTENSION")


class Kind(NamedTuple):
    """A row of a table; sorts the dense baseline of a task first.

    Attributes:
        task: String.
        sparsity: Float.
        method: String; with an extension, such as `"rigl_2x"`.
        distribution: String.
        settings: String, what else tells it from others, such as
            `"ALPHA=0.4"`.
    """

    task: str
    sparsity: float
    method: str
    distribution: str
    settings: str = ""

    def __str__(self):
        return (
            f"{self.label} {Setting(self.sparsity, self.distribution)}".strip()
        )

    @property
    def label(self):
        """The method and its settings."""
        return f"{self.method} {self.settings}".strip()

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
            words.append(short(self.distribution))
        return " ".join(words)


def short(distribution):
    """What tables call a distribution."""
    return _SHORT.get(distribution, distribution)


def settings(kinds):
    """The settings of kinds: every distribution at every sparsity."""
    sparsities = sorted({k.sparsity for k in kinds if k.sparsity}) or [0.0]
    names = sorted({k.distribution for k in kinds if k.distribution}) or [""]
    return [Setting(s, name) for name in names for s in sparsities]


def of(record):
    """The `Kind` of a record that is alone."""
    method = record.method
    if record.extension != 1:
        method += f"_{record.extension:g}x"
    return Kind(record.task, record.sparsity, method, record.distribution)


def group(records):
    """Records by `Kind`, in its order.

    Args:
        records: List of `Record`.

    Returns:
        Dictionary from `Kind` to a list of `Record`. Where the settings of
        runs of a kind are not the same, there is a kind for each.
    """
    alike = collections.defaultdict(list)
    for record in records:
        alike[of(record)].append(record)
    groups = collections.defaultdict(list)
    for plain, runs in alike.items():
        settings = _shortened([_settings(run) for run in runs])
        names = _different(settings)
        for run, each in zip(runs, settings, strict=True):
            told = " ".join(f"{n}={each[n]}" for n in names if n in each)
            groups[plain._replace(settings=told)].append(run)
    return dict(sorted(groups.items()))


def tuned(records):
    """Names of the settings in which runs differ that are alike otherwise.

    Args:
        records: List of `Record`.

    Returns:
        Sorted list of strings.
    """
    alike = collections.defaultdict(list)
    for record in records:
        alike[of(record)].append(_settings(record))
    return sorted({n for runs in alike.values() for n in _different(runs)})


def rated(records):
    """Those of records whose setting `LEARNING_RATE` is a number."""
    return [
        record
        for record in records
        if type(record.settings.get("LEARNING_RATE")) in (int, float)
    ]


def best_by_rate(records):
    """The runs that stand for a learning rate.

    Where other settings vary as well, those count that have the best accuracy
    on validation data.

    Args:
        records: List of `Record`; only those that are `rated` count.

    Returns:
        Dictionary from pairs of a `Kind` without settings and a rate to a list
        of `Record`.

    Raises:
        ValueError: If other settings vary and there are no validation data.
    """
    places = collections.defaultdict(list)
    for kind, runs in group(rated(records)).items():
        rate = runs[0].settings["LEARNING_RATE"]
        places[kind._replace(settings=""), rate].append(runs)
    return {
        place: max(rivals, key=_validated) if len(rivals) > 1 else rivals[0]
        for place, rivals in places.items()
    }


def _validated(runs):
    return statistics.mean(run.validated for run in runs)


def _settings(record):
    """What no kind has a place for, in words."""
    return {
        name: _source(record, value) if name == "SOURCE" else str(value)
        for name, value in record.settings.items()
        if name not in _PLACED
    }


def _source(record, path):
    """The run that a record starts from, without what both have in common."""
    own = (f"sparsity={record.sparsity:g}", f"seed={record.seed}")
    parts = [part for part in pathlib.Path(path).parts if part not in own]
    return str(pathlib.Path(*parts))


def _shortened(settings):
    """The same without the directory that all sources are in."""
    sources = [each["SOURCE"] for each in settings if "SOURCE" in each]
    if len(set(sources)) < 2:
        return settings
    shared = os.path.commonpath(
        [os.path.dirname(os.path.abspath(each)) for each in sources]
    )
    return [
        {
            name: os.path.relpath(value, shared) if name == "SOURCE" else value
            for name, value in each.items()
        }
        for each in settings
    ]


def _different(settings):
    """Names whose values are not all the same."""
    return [
        name
        for name in sorted(set().union(*settings))
        if len({each.get(name) for each in settings}) > 1
    ]
