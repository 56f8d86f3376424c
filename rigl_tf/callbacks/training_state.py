"""The state of a model and its training, as a checkpoint holds it."""

import dataclasses
import importlib.metadata
import itertools
import math
import re

from rigl_tf._keras_compat import build_for_training
from rigl_tf.callbacks.checkpoint_files import Spec
from rigl_tf.modeling.sparse_optimizer import find_sparse_step
from rigl_tf.utils import optimizer_slots
from rigl_tf.utils import tensors


def _versions():
    names = ("keras", "tensorflow", "numpy")
    return {name: importlib.metadata.version(name) for name in names}


@dataclasses.dataclass(frozen=True)
class Facts:
    """The metadata of a checkpoint, checked when it is read.

    Attributes:
        epoch: Integer, completed epochs since the start of the run.
        batch: Integer, completed batches of the current epoch.
        elapsed: Float, seconds of training so far.
        history: Dictionary from metric to its value after each epoch.
        plan: Dictionary, `SparseModel.resolved_schedule`, or `None`.
        identity: Dictionary, the facts that identify a run; see `identity`.
        stopped: Boolean, whether a callback has ended training.
        changes: List of strings, differences accepted on purpose, and when.
        callbacks: Dictionary, the result of `memories.read`.
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
        """Fills in the open values of a schedule, a dictionary like `plan`."""
        plan = self.plan or {}
        return {
            name: plan[name] if value is None else value
            for name, value in schedule.items()
        }

    def renamed_history(self, kernels):
        """Returns the history with the names that kernels have now.

        Keras numbers the layers of a model that is built again.

        Args:
            kernels: List of `SparseKernel`.
        """
        names = [f"density/{kernel.name}" for kernel in kernels]
        old = [name for name in self.history if name.startswith("density/")]
        if len(old) != len(names):
            return self.history
        new = dict(zip(old, names, strict=True))
        return {
            new.get(name, name): values for name, values in self.history.items()
        }

    def resolved(self):
        """Returns `identity` with the values of `plan`."""
        schedule = self.identity.get("schedule")
        if self.plan is None or not isinstance(schedule, dict):
            return self.identity
        return self.identity | {"schedule": schedule | self.plan}

    @classmethod
    def of(cls, values):
        """Creates the metadata from a parsed JSON file.

        Raises:
            ValueError: If a field is missing or has the wrong type.
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
            facts, is_right = None, False
        if facts is None or not is_right:
            raise ValueError("has malformed metadata")
        return facts


class Snapshot:
    """The arrays that make up the state of training.

    Args:
        model: Compiled `keras.Model`.
        monitor: `SparsityMonitor`, or `None`.
        dataset: `tf.data.Dataset`, the training data, to create the variables
            that Keras creates in the first step, or `None`.

    Attributes:
        sparse_step: `SparseStep` that trains the model, or `None`.
    """

    def __init__(self, model, monitor=None, dataset=None):
        self._model = model
        self._optimizer = optimizer_slots.inner(model.optimizer)
        self._monitor = monitor
        self.sparse_step = find_sparse_step(model)
        if monitor is not None:
            monitor.start(model)
        with model.distribute_strategy.scope():
            model.optimizer.build(model.trainable_variables)
            if dataset is not None:
                build_for_training(model, dataset.element_spec)

    def check_is_of(self, model):
        """Raises a ValueError unless this is the state that `fit` trains."""
        is_same = (
            self._model is model
            and self._optimizer is optimizer_slots.inner(model.optimizer)
            and self.sparse_step is find_sparse_step(model)
        )
        if not is_same:
            raise ValueError(
                "`Checkpoint` was given another model or optimizer before. "
                "Call `checkpoint.restore(model, dataset)` after `compile`, "
                "with the model that `fit` trains. With `SparseTraining`, "
                "pass `Checkpoint(..., callbacks=[training])`. A model that "
                "is compiled again needs another `Checkpoint`, in another "
                "directory."
            )

    def specs(self, within_epoch):
        """Returns a list of `Spec`, one for each of `arrays`.

        Args:
            within_epoch: Boolean, whether to include metrics.
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
        """Yields the arrays one at a time.

        All workers must iterate over them.
        """
        for variable in self._variables(within_epoch):
            yield tensors.as_array(variable)
        yield from self._seen()

    def with_own_learning_rate(self, arrays):
        """Returns the arrays with the current learning rate."""
        rate = optimizer_slots.inner(self._model.optimizer).learning_rate
        variables = self._variables(False)
        return [
            tensors.as_array(rate) if variable is rate else array
            for array, variable in itertools.zip_longest(arrays, variables)
        ]

    def put_back(self, arrays, within_epoch):
        """Restores all variables but metrics, see `resume_epoch`."""
        state = self._variables(False)
        for variable, array in zip(state, arrays, strict=False):
            variable.assign(array)
        if not within_epoch:
            self.resume_epoch(arrays, within_epoch)

    def resume_epoch(self, arrays, within_epoch):
        """Restores metrics after Keras has reset them for the epoch."""
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
        return [
            *model.variables,
            *self._masks_outside(),
            *model.optimizer.variables,
            *metrics,
        ]

    def _masks_outside(self):
        """Returns what `SparseTraining` keeps outside of the model."""
        if self.sparse_step is None:
            return []
        inside = {id(variable) for variable in self._model.variables}
        return [v for v in self.sparse_step.variables if id(v) not in inside]

    def _seen(self):
        return [] if self._monitor is None else self._monitor.state()


def _plain(path):
    """Returns a path of a variable without the numbers of unnamed layers."""
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
