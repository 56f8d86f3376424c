"""Tuning studies and their trials."""

import dataclasses
import os
import statistics
import urllib.parse

from rigl_tf.datasets import prepared
from rigl_tf.experiments import smoke_test
from rigl_tf.experiments import sweep_grid
from rigl_tf.experiments.task import Task
from rigl_tf.gin_tools import config_files
from rigl_tf.utils import extras
from rigl_tf.utils.validation import check_count

DATABASE = "studies.db"


@dataclasses.dataclass(frozen=True)
class Study:
    """A study: settings to tune separately at each sparsity.

    Each distribution is also tuned separately.

    Attributes:
        task: String, a name or the path of a gin file.
        method: String, a name or the path of a gin file.
        sparsities: Sequence of floats.
        ranges: Dictionary from the name of a setting, such as `"ALPHA"`, to
            `(low, high)` or, for integers, `(low, high, step)`. Both ends are
            included.
        distributions: Sequence of strings; `None` for the distribution in the
            method's file.
        num_trials: Integer, trials for each sparsity and distribution.
        seeds: Sequence of integers. Each trial trains once with every seed.
        sampler_seed: Integer, the seed of Optuna's sampler.
    """

    task: str
    method: str
    sparsities: tuple
    ranges: dict
    distributions: tuple = (None,)
    num_trials: int = 15
    seeds: tuple = (0, 1, 2)
    sampler_seed: int = 123

    def __post_init__(self):
        for name in ("sparsities", "ranges", "distributions", "seeds"):
            if not getattr(self, name):
                raise ValueError(
                    f"`{name}` must not be empty. "
                    f"Received: {name}={getattr(self, name)!r}."
                )
        check_count("num_trials", self.num_trials)
        for name, ends in self.ranges.items():
            if len(ends) not in (2, 3) or not ends[0] < ends[1]:
                raise ValueError(
                    "`ranges` must have (low, high) or (low, high, step), low "
                    f"below high. Received: ranges={{{name!r}: {ends!r}}}."
                )

    @property
    def spaces(self):
        """List of pairs of a distribution and a sparsity."""
        return [(d, s) for d in self.distributions for s in self.sparsities]

    def runs(self, distribution, sparsity, values):
        """Returns the runs of a trial, or of the reference.

        Args:
            distribution: String or `None`.
            sparsity: Float.
            values: Dictionary from the name of a setting to its value. Empty
                for the reference, which uses the method's own values.

        Returns:
            List of `sweep_grid.Run`, one for each seed.
        """
        bindings = tuple(f"{name} = {v!r}" for name, v in values.items())
        variant = ",".join(f"{name}={v:.6g}" for name, v in values.items())
        return [
            sweep_grid.Run(
                self.task,
                self.method,
                distribution,
                sparsity,
                seed,
                settings=bindings,
                variant=variant,
            )
            for seed in self.seeds
        ]


def read(name):
    """Reads the `Study` in a gin file.

    Args:
        name: String, a name in gin_configs/studies or the path of a file.
    """
    with config_files.parsed([config_files.find("studies", name)], []):
        return config_files.configured(Study)()


def check_validation_data(run):
    """Raises a ValueError if the task of a run has no validation data.

    Args:
        run: `sweep_grid.Run`.
    """
    files = [
        config_files.find("tasks", run.task),
        config_files.find("methods", run.method),
    ]
    with prepared.mock_data(smoke_test.EXAMPLES):
        with config_files.parsed(files, run.bindings("")):
            task = config_files.configured(Task)()
    if task.dataset.validation is None:
        raise ValueError(
            "The choice of settings needs validation data. Received the task "
            f"{task.name} without validation data. Hold some out: `validation` "
            "of the data set."
        )


def score(records):
    """Returns the mean validation accuracy after the last epoch.

    Args:
        records: List of `Record`.

    Raises:
        ValueError: If the task has no validation data.
    """
    if any("val_accuracy" not in record.history for record in records):
        raise ValueError(
            "A study needs validation data. Received runs of a task without "
            "validation data. Hold some out: `validation` of the data set."
        )
    return statistics.mean(record.final_val_accuracy for record in records)


def open_study(study, distribution, sparsity, directory):
    """Opens or creates the database of a study.

    Args:
        study: `Study`.
        distribution: String or `None`.
        sparsity: Float.
        directory: Path of the study.

    Returns:
        `optuna.Study`. An interrupted trial is repeated as the next trial.

    Raises:
        ValueError: If the directory contains a study with other ranges or
            seeds, or a database that no study wrote, or if Optuna is not
            installed.
    """
    library = _library()
    library.logging.set_verbosity(library.logging.WARNING)
    path = directory / DATABASE
    try:
        trials = library.create_study(
            # An address, in which some signs have another meaning.
            storage=f"sqlite:///{urllib.parse.quote(os.fsencode(path))}",
            study_name=f"{study.task} {study.method} {distribution} {sparsity}",
            direction="maximize",
            load_if_exists=True,
        )
        saved = trials.user_attrs.get("study")
        known = trials.get_trials(deepcopy=False)
        numbers = [trial.number for trial in known]
        if numbers != list(range(len(known))) or not trials.direction:
            raise ValueError("its trials are not numbered from 0")
    except Exception as error:  # any error of the database
        raise ValueError(
            f"{path} cannot be read: {type(error).__name__}: {error}. Choose "
            "another --output_dir."
        ) from error
    wanted = repr((dict(study.ranges), tuple(study.seeds), study.sampler_seed))
    if saved not in (None, wanted):
        raise ValueError(
            f"{directory} contains a study with other ranges or seeds: "
            f"{saved}. Received: {wanted}. Choose another --output_dir."
        )
    for trial in known:
        _check_trial(trial, study.ranges, path)
    trials.set_user_attr("study", wanted)
    running = (library.trial.TrialState.RUNNING,)
    for trial in trials.get_trials(states=running):
        trials.tell(trial.number, state=library.trial.TrialState.FAIL)
        trials.enqueue_trial(trial.params)
    return trials


def _check_trial(trial, ranges, path):
    """Raises a ValueError if names or values of a trial are out of range.

    Names and values become gin bindings, and bindings are code.
    """
    planned = trial.system_attrs.get("fixed_params", {})
    wanted = _distributions(ranges)
    for name, value in [*trial.params.items(), *planned.items()]:
        low, high, *_ = ranges.get(name, (1, 0))
        is_ours = trial.distributions.get(name) in (None, wanted.get(name))
        if (
            type(value) not in (int, float)
            or not low <= value <= high
            or not is_ours
        ):
            raise ValueError(
                f"{path} contains a trial with {name!r:.60} = {value!r:.60}, "
                f"which is not in ranges={ranges!r}. Choose another "
                "--output_dir."
            )
    missing = ranges.keys() - trial.params.keys()
    if missing and trial.state == _library().trial.TrialState.COMPLETE:
        raise ValueError(
            f"{path} contains a trial without {min(missing)}. Choose another "
            "--output_dir."
        )


def completed(trials):
    """Returns the values of the completed trials, in order."""
    states = (_library().trial.TrialState.COMPLETE,)
    return [trial.params for trial in trials.get_trials(states=states)]


def ask(study, trials):
    """Returns the next trial and its values.

    The values depend on the earlier trials, not on interruptions between
    them.

    Returns:
        `optuna.Trial`, and a dictionary from the name of a setting to its
        value.
    """
    seed = study.sampler_seed + len(completed(trials))
    trials.sampler = _library().samplers.TPESampler(seed=seed)
    trial = trials.ask(_distributions(study.ranges))
    return trial, {name: trial.params[name] for name in study.ranges}


def _library():
    with extras.needed("studies"):
        import optuna
    return optuna


def _distributions(ranges):
    """Returns the distributions of Optuna for the ranges of a study."""
    kinds = _library().distributions
    return {
        name: kinds.IntDistribution(*ends[:2], step=ends[2])
        if len(ends) == 3
        else kinds.FloatDistribution(*ends)
        for name, ends in ranges.items()
    }
