"""Groups of runs that differ only in their seed."""

import collections
import dataclasses
import json
import os
import pathlib
import statistics
from typing import NamedTuple

_SHORT = {"erdos_renyi_kernel": "ERK", "erdos_renyi": "ER"}
# Settings with a field in `RunGroup`, and the seed. Also DISTRIBUTION, if the
# record has a distribution: some tickets choose densities themselves.
_GROUP_SETTINGS = ("SEED", "SPARSITY", "TRAINING_MULTIPLIER")


class RunGroup(NamedTuple):
    """Key of a group of runs; the dense baseline of a task sorts first.

    Attributes:
        task: String.
        sparsity: Float.
        method: String. With longer training, it has a suffix: `"rigl_2x"`.
        distribution: String.
        settings: String, the settings that distinguish the group from others,
            such as `"ALPHA=0.4"`.
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
        """String, the method and its settings."""
        return f"{self.method} {self.settings}".strip()

    def is_compared_in(self, setting):
        """Returns whether the group is compared in a setting.

        Dense groups are compared in every setting.
        """
        return self.sparsity in (0, setting.sparsity) and (
            self.distribution in ("", setting.distribution)
        )


class Setting(NamedTuple):
    """The sparsity and distribution of a comparison of methods."""

    sparsity: float
    distribution: str

    def __str__(self):
        words = [f"{self.sparsity:g}"] if self.sparsity else []
        if self.distribution:
            words.append(short_name(self.distribution))
        return " ".join(words)


def short_name(distribution: str) -> str:
    """Returns the name of a distribution in tables."""
    return _SHORT.get(distribution, distribution)


def settings(groups):
    """Returns the settings of groups: each distribution at each sparsity."""
    sparsities = sorted({g.sparsity for g in groups if g.sparsity}) or [0.0]
    names = sorted({g.distribution for g in groups if g.distribution}) or [""]
    return [Setting(s, name) for name in names for s in sparsities]


def group_key(record):
    """Returns the `RunGroup` of a record, without settings."""
    method = record.method
    if record.training_multiplier != 1:
        method += f"_{record.training_multiplier:g}x"
    return RunGroup(record.task, record.sparsity, method, record.distribution)


def group(records):
    """Groups records that differ only in their seed.

    Args:
        records: List of `Record`.

    Returns:
        Dictionary from `RunGroup`, sorted, to a list of `Record`. Runs with
        different settings are in different groups. Of several records with
        the same seed and results, such as copies of a run, only the first is
        kept.
    """
    alike = collections.defaultdict(list)
    for record in records:
        alike[group_key(record)].append(record)
    groups = collections.defaultdict(list)
    for key, runs in alike.items():
        settings = _shorten_sources([_other_settings(run) for run in runs])
        names = _differing_names(settings)
        for run, each in zip(runs, settings, strict=True):
            text = " ".join(f"{n}={each[n]}" for n in names if n in each)
            groups[key._replace(settings=text)].append(run)
    return {key: _without_copies(groups[key]) for key in sorted(groups)}


def conflicts(records):
    """Returns lists of runs with one group and seed, but different results.

    Args:
        records: List of `Record`.
    """
    repeated = collections.defaultdict(list)
    for key, runs in group(records).items():
        for run in runs:
            repeated[key, run.seed].append(run)
    return [runs for runs in repeated.values() if len(runs) > 1]


def _without_copies(runs):
    """Returns the runs without repeats of the same seed and results."""
    if len({run.seed for run in runs}) == len(runs):
        return runs
    kept = {}
    for run in runs:
        values = dataclasses.asdict(run) | {"seconds": 0, "provenance": {}}
        kept.setdefault(json.dumps(values, sort_keys=True), run)  # NaN is NaN
    return list(kept.values())


def varied_settings(records):
    """Returns the names of settings that vary within a group key.

    Args:
        records: List of `Record`.

    Returns:
        Sorted list of strings.
    """
    alike = collections.defaultdict(list)
    for record in records:
        alike[group_key(record)].append(_other_settings(record))
    return sorted(
        {n for runs in alike.values() for n in _differing_names(runs)}
    )


def with_learning_rate(records):
    """Returns the records whose setting `LEARNING_RATE` is a number."""
    return [
        record
        for record in records
        if type(record.settings.get("LEARNING_RATE")) in (int, float)
    ]


def best_by_learning_rate(records):
    """Selects the best runs for each learning rate.

    If other settings vary, too, the runs with the settings of the best
    validation accuracy are selected.

    Args:
        records: List of `Record`. Records whose setting `LEARNING_RATE` is not
            a number are ignored.

    Returns:
        Dictionary from pairs of a `RunGroup` without settings and a learning
        rate to a list of `Record`.

    Raises:
        ValueError: If other settings vary and there are no validation data.
    """
    candidates = collections.defaultdict(list)
    for key, runs in group(with_learning_rate(records)).items():
        rate = runs[0].settings["LEARNING_RATE"]
        candidates[key._replace(settings=""), rate].append(runs)
    return {
        key: max(runs, key=_mean_val_accuracy) if len(runs) > 1 else runs[0]
        for key, runs in candidates.items()
    }


def _mean_val_accuracy(runs):
    return statistics.mean(run.final_val_accuracy for run in runs)


def _other_settings(record):
    """Returns the settings without a field in `RunGroup`, as strings."""
    return {
        name: _source(record, value) if name == "SOURCE" else str(value)
        for name, value in record.settings.items()
        if name not in _GROUP_SETTINGS
        and (name != "DISTRIBUTION" or not record.distribution)
    }


def _source(record, path):
    """Returns the path of a source without the record's sparsity and seed."""
    own = (f"sparsity={record.sparsity:g}", f"seed={record.seed}")
    parts = [part for part in pathlib.Path(path).parts if part not in own]
    return str(pathlib.Path(*parts))


def _shorten_sources(settings):
    """Makes the sources relative to their common directory."""
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


def _differing_names(settings):
    """Returns the names of settings with different values."""
    return [
        name
        for name in sorted(set().union(*settings))
        if len({each.get(name) for each in settings}) > 1
    ]
