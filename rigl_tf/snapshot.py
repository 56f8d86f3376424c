"""What a checkpoint holds of a model and of its training."""

import dataclasses
import importlib.metadata
import itertools
import math
import re

import keras
import numpy as np

from rigl_tf import slots
from rigl_tf import tensors
from rigl_tf.checkpoints import Spec
from rigl_tf.modeling.sparse_optimizer import find_sparse_step


def _versions():
    names = ("keras", "tensorflow", "numpy")
    return {name: importlib.metadata.version(name) for name in names}


@dataclasses.dataclass(frozen=True)
class Facts:
    """What is saved beside arrays; checked when it is read.

    Attributes:
        epoch: Integer, epochs done since the beginning of the run.
        batch: Integer, batches done of the epoch after those.
        elapsed: Float, seconds that training has taken.
        history: Dictionary from metric to its value after each epoch.
        plan: Dictionary, `SparseModel.resolved_schedule`, or `None`.
        identity: Dictionary, what makes a run this one; see `identity`.
        stopped: Boolean, whether a callback has ended training.
        changes: List of strings, what was changed on purpose, and when.
        callbacks: Dictionary, what `memories.read` gives.
        versions: Dictionary from package to version.
    """

    epoch: int
    batch: int
    elapsed: float
    history: dict
    plan: dict | None
    identity: dict
    stopped: bool
    changes: list
    callbacks: dict
    versions: dict = dataclasses.field(default_factory=_versions)

    def planned(self, schedule):
        """Fills in what a schedule leaves open, a dictionary like `plan`."""
        return {
            name: self.plan[name] if value is None else value
            for name, value in schedule.items()
        }

    def resolved(self):
        """The identity, with the plan."""
        schedule = self.identity.get("schedule")
        if self.plan is None or not isinstance(schedule, dict):
            return self.identity
        return self.identity | {"schedule": schedule | self.plan}

    @classmethod
    def of(cls, values):
        """Makes them of what a file says.

        Raises:
            ValueError: If something is missing or of the wrong kind.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        try:
            facts = cls(**{name: values[name] for name in names})
            is_right = (
                _is_count(facts.epoch)
                and _is_count(facts.batch)
                and type(facts.elapsed) is float
                and 0 <= facts.elapsed < math.inf
                and all(map(_are_floats, facts.history.values()))
                and (facts.plan is None or _is_plan(facts.plan))
                and all(isinstance(v, str) for v in facts.versions.values())
                and isinstance(facts.identity, dict)
                and isinstance(facts.stopped, bool)
                and isinstance(facts.changes, list)
                and all(isinstance(v, str) for v in facts.changes)
                and all(map(_are_numbers, facts.callbacks.values()))
            )
        except (KeyError, TypeError, AttributeError):
            is_right = False
        if not is_right:
            raise ValueError("says of itself what cannot be")
        return facts


def identity(model, dataset=None):
    """Returns what must be as it was when training goes on.

    Args:
        model: Compiled `keras.Model`, before it is trained.
        dataset: `tf.data.Dataset`, as it is trained on, or `None`.

    Returns:
        Dictionary from name to what JSON can hold.
    """
    facts = {"optimizer": _described(slots.inner(model.optimizer))}
    sparse_step = find_sparse_step(model)
    if sparse_step is not None:
        for name in _OF_SPARSE_STEP:
            facts[name] = _described(getattr(sparse_step, name))
    if dataset is not None:
        batch = keras.tree.flatten(dataset.element_spec)
        facts["batch"] = [str(spec.shape) for spec in batch]
    return facts


def check_same(there, here, changed=()):
    """Raises a ValueError that names a fact of another run.

    Facts that only one of them has are not compared, and neither are steps
    that a schedule has left to `fit`.

    Args:
        there: Dictionary, as `identity` gives it, of a checkpoint.
        here: Dictionary of the run that is to go on.
        changed: List of strings, the names of facts that may differ, or of
            what they are parts of.

    Returns:
        List of strings, those that do.
    """
    # What prunes to a sparsity can do so from any masks.
    fixed = _OF_MASKS if here.get("sparsity") is None else ("granularity",)
    taken = []
    for names, then, now in _differences(there, here):
        difference = f"{' '.join(names)} was {then} and is {now}"
        if names[0] in fixed:
            advice = "The masks of a checkpoint stay as they are"
        else:
            name = names[-2] if names[-1] == "class" else names[-1]
            advice = f"`Checkpoint(..., changed=[{name!r}])` takes the change"
        if names[0] in fixed or not set(names) & set(changed):
            raise ValueError(
                f"belongs to another model or run: {difference}. Make it as "
                f"it was. {advice}"
            )
        taken.append(difference)
    return taken


def _differences(there, here, inside=()):
    """Yields the names that lead to a difference, and both values."""
    for name in [name for name in here if name in there]:
        then, now = there[name], here[name]
        if isinstance(then, dict) and isinstance(now, dict):
            yield from _differences(then, now, (*inside, name))
        elif then != now and not (name in _OPEN and None in (then, now)):
            yield (*inside, name), then, now


_OF_SPARSE_STEP = (
    "algorithm",
    "schedule",
    "drop_fraction",
    "sparsity",
    "budgets",
    "granularity",
    "grow_init",
    "seed",
)
_OF_MASKS = ("sparsity", "budgets", "granularity")
_OPEN = ("interval", "begin_step", "end_step")  # until a `fit` says them


def _described(value):
    """Anything as what JSON can hold, the same in every process."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        # Keras counts what has no name of its own.
        return {str(k): _described(v) for k, v in value.items() if k != "name"}
    if isinstance(value, list | tuple):
        return [_described(item) for item in value]
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    kind = {"class": type(value).__name__}
    try:
        return kind | _described(value.get_config())
    except (AttributeError, NotImplementedError):
        # Functions have other addresses in other processes.
        return re.sub(r" at 0x\w+", "", repr(value))


class Snapshot:
    """The arrays that make up the state of training.

    Args:
        model: Compiled `keras.Model`.
        monitor: `SparsityMonitor`, or `None`.
        dataset: `tf.data.Dataset`, as it is trained on, to create what Keras
            creates in the first step, or `None`.
    """

    def __init__(self, model, monitor=None, dataset=None):
        self._model = model
        self._monitor = monitor
        if monitor is not None:
            monitor.start(model)
        with model.distribute_strategy.scope():
            model.optimizer.build(model.trainable_variables)
            if dataset is not None:
                model._symbolic_build(data_batch=dataset.element_spec)

    def specs(self, within_epoch):
        """List of `Spec`, what `arrays` gives.

        Args:
            within_epoch: Boolean. Metrics matter only there.
        """
        variables = [
            Spec(f"{i}/{_plain(v.path)}", v.dtype, tuple(v.shape))
            for i, v in enumerate(self._variables(within_epoch))
        ]
        seen = [
            Spec(f"seen/{i}", array.dtype.name, array.shape)
            for i, array in enumerate(self._seen())
        ]
        return variables + seen

    def arrays(self, within_epoch):
        """Yields them one at a time.

        Under several workers, all of them have to go through it.
        """
        for variable in self._variables(within_epoch):
            yield tensors.as_array(variable)
        yield from self._seen()

    def with_own_learning_rate(self, arrays):
        """The same arrays with the learning rate that there is now."""
        rate = slots.inner(self._model.optimizer).learning_rate
        variables = self._variables(False)
        return [
            tensors.as_array(rate) if variable is rate else array
            for array, variable in itertools.zip_longest(arrays, variables)
        ]

    def put_back(self, arrays, within_epoch):
        """Gives every variable its value; for metrics, see `resume_epoch`."""
        state = self._variables(False)
        for variable, array in zip(state, arrays, strict=False):
            variable.assign(array)
        if not within_epoch:
            self.resume_epoch(arrays, within_epoch)

    def resume_epoch(self, arrays, within_epoch):
        """Goes on with metrics, after Keras has begun an epoch anew."""
        start = len(self._variables(False))
        variables = self._variables(within_epoch)
        for variable, array in zip(
            variables[start:], arrays[start:], strict=False
        ):
            variable.assign(array)
        if self._monitor is not None:
            self._monitor.restore(arrays[len(variables) :])

    def _variables(self, within_epoch):
        model = self._model
        metrics = model.metrics_variables if within_epoch else []
        return [*model.variables, *model.optimizer.variables, *metrics]

    def _seen(self):
        return [] if self._monitor is None else self._monitor.state()


def _plain(path):
    """A variable's path, without the numbers that Keras counts layers by."""
    return re.sub(r"_\d+(?=/|_|$)", "", path)


def _is_count(value):
    return type(value) is int and 0 <= value < 2**63


def _are_floats(values):
    return isinstance(values, list) and all(type(v) is float for v in values)


def _are_numbers(values):
    return all(v is None or type(v) in (int, float) for v in values.values())


def _is_plan(plan):
    return plan.keys() == {"interval", "end_step"} and all(
        value is None or _is_count(value) for value in plan.values()
    )
