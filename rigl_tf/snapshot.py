"""What a checkpoint holds of a model and of its training."""

import dataclasses
import math
import re

from rigl_tf import tensors
from rigl_tf.checkpoints import Spec


@dataclasses.dataclass(frozen=True)
class Facts:
    """What is saved beside arrays; checked when it is read.

    Attributes:
        epoch: Integer, epochs done since the beginning of the run.
        batch: Integer, batches done of the epoch after those.
        elapsed: Float, seconds that training has taken.
        history: Dictionary from metric to its value after each epoch.
        plan: Dictionary, `SparseModel.resolved_schedule`, or `None`.
        versions: Dictionary from package to version.
        purpose: String, what is trained, or `None` if nothing was said.
    """

    epoch: int
    batch: int
    elapsed: float
    history: dict
    plan: dict | None
    versions: dict
    purpose: str | None

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
                and math.isfinite(facts.elapsed)
                and all(map(_are_floats, facts.history.values()))
                and (facts.plan is None or _is_plan(facts.plan))
                and all(isinstance(v, str) for v in facts.versions.values())
                and isinstance(facts.purpose, str | None)
            )
        except (KeyError, TypeError, AttributeError):
            is_right = False
        if not is_right:
            raise ValueError("says of itself what cannot be")
        return facts


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


def _is_plan(plan):
    return plan.keys() == {"interval", "end_step"} and all(
        value is None or _is_count(value) for value in plan.values()
    )
