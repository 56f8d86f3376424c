"""What a study tunes, and its trials."""

import dataclasses
import os
import statistics
import urllib.parse

import gin

from rigl_tf.bin import configs
from rigl_tf.bin import grids

try:
    import optuna
except ImportError:  # an extra
    optuna = None

DATABASE = "studies.db"


@dataclasses.dataclass(frozen=True)
class Study:
    """Settings to tune, at each sparsity and distribution by itself.

    Attributes:
        task: String, a name or the path of a gin file.
        method: String, a name or the path of a gin file.
        sparsities: Sequence of floats.
        ranges: Dictionary from the name of a setting, such as `"ALPHA"`, to
            `(low, high)` or, for integers, `(low, high, step)`; both ends are
            tried.
        distributions: Sequence of strings, or of `None` for what the method's
            file says.
        num_trials: Integer.
        seeds: Sequence of integers; a trial trains once with each.
        sampler_seed: Integer.
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
        for name, ends in self.ranges.items():
            if len(ends) not in (2, 3) or not ends[0] < ends[1]:
                raise ValueError(
                    "`ranges` must have (low, high) or (low, high, step), low "
                    f"below high. Received: ranges={{{name!r}: {ends!r}}}."
                )

    @property
    def spaces(self):
        """Pairs of a distribution and a sparsity."""
        return [(d, s) for d in self.distributions for s in self.sparsities]

    def runs(self, distribution, sparsity, values):
        """The runs of a trial; without values, those to compare with.

        Args:
            distribution: String or `None`.
            sparsity: Float.
            values: Dictionary from the name of a setting to its value.

        Returns:
            List of `grids.Run`, one for each seed.
        """
        bindings = tuple(f"{name} = {v!r}" for name, v in values.items())
        variant = ",".join(f"{name}={v:.6g}" for name, v in values.items())
        return [
            grids.Run(
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
    """Returns the `Study` in a gin file.

    Args:
        name: String, a name in gin_configs/studies or the path of a file.
    """
    with configs.parsed([configs.find("studies", name)], []):
        return gin.get_configurable(Study)()


def score(records):
    """The mean validation accuracy after the last epoch.

    Args:
        records: List of `Record`.

    Raises:
        ValueError: If there are no validation data.
    """
    if any("val_accuracy" not in record.history for record in records):
        raise ValueError(
            "A study takes validation data, and the task's data have none."
        )
    return statistics.mean(record.validated for record in records)


def opened(study, distribution, sparsity, directory):
    """The trials there are so far.

    Args:
        study: `Study`.
        distribution: String or `None`.
        sparsity: Float.
        directory: Path of the study.

    Returns:
        `optuna.Study`. A trial that was stopped is the next one again.

    Raises:
        ValueError: If the directory has a study of other ranges or seeds, or
            what no study has left there, or Optuna is not installed.
    """
    if optuna is None:
        raise ValueError(
            "A study needs Optuna. Install it: pip install 'rigl-tf[studies]'."
        )
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = directory / DATABASE
    try:
        trials = optuna.create_study(
            # An address, in which some signs have another meaning.
            storage=f"sqlite:///{urllib.parse.quote(os.fsencode(path))}",
            study_name=f"{study.task} {study.method} {distribution} {sparsity}",
            direction="maximize",
            load_if_exists=True,
        )
        there = trials.user_attrs.get("study")
        known = trials.get_trials(deepcopy=False)
        numbers = [trial.number for trial in known]
        if numbers != list(range(len(known))) or not trials.direction:
            raise ValueError("its trials are not numbered from 0")
    except Exception as error:  # Optuna passes on those of the database
        raise ValueError(
            f"{path} cannot be read: {type(error).__name__}: {error}. Choose "
            "another --output_dir."
        ) from error
    given = repr((dict(study.ranges), tuple(study.seeds), study.sampler_seed))
    if there not in (None, given):
        raise ValueError(
            f"{directory} has a study of other ranges or seeds: {there} there, "
            f"{given} here. Choose another --output_dir."
        )
    for trial in known:
        _check(trial, study.ranges, path)
    trials.set_user_attr("study", given)
    running = (optuna.trial.TrialState.RUNNING,)
    for trial in trials.get_trials(states=running):
        trials.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        trials.enqueue_trial(trial.params)
    return trials


def _check(trial, ranges, path):
    """Raises for names and values of a trial that are not of the ranges.

    They become bindings, and bindings are code.
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
                f"{path} has a trial with {name!r:.60} = {value!r:.60}, which "
                f"is not in ranges={ranges!r}. Choose another --output_dir."
            )
    missing = ranges.keys() - trial.params.keys()
    if missing and trial.state == optuna.trial.TrialState.COMPLETE:
        raise ValueError(
            f"{path} has a trial without {min(missing)}. Choose another "
            "--output_dir."
        )


def done(trials):
    """The values of the trials that are complete, in their order."""
    states = (optuna.trial.TrialState.COMPLETE,)
    return [trial.params for trial in trials.get_trials(states=states)]


def ask(study, trials):
    """The next trial and its values.

    What it asks for depends on the trials before, not on whether the study
    was stopped between them.

    Returns:
        `optuna.Trial`, and a dictionary from the name of a setting to its
        value.
    """
    seed = study.sampler_seed + len(done(trials))
    trials.sampler = optuna.samplers.TPESampler(seed=seed)
    trial = trials.ask(_distributions(study.ranges))
    return trial, {name: trial.params[name] for name in study.ranges}


def _distributions(ranges):
    """What Optuna calls ranges."""
    kinds = optuna.distributions
    return {
        name: kinds.IntDistribution(*ends[:2], step=ends[2])
        if len(ends) == 3
        else kinds.FloatDistribution(*ends)
        for name, ends in ranges.items()
    }
