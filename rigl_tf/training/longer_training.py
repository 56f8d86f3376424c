"""Schedules scaled to a longer training."""

import dataclasses
from collections.abc import Callable
from typing import Any
from typing import Self

import keras

from rigl_tf._keras_compat import learning_rate_of
from rigl_tf.sparsity import schedules


@keras.saving.register_keras_serializable("rigl_tf", name="Stretched")
class ScaledSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Learning-rate schedule that is scaled in time.

    Args:
        schedule: `LearningRateSchedule`.
        factor: Float > 0. The schedule takes `factor` times as many steps.
    """

    def __init__(self, schedule: Callable, factor: float) -> None:
        self.schedule = schedule
        self.factor = factor

    def __call__(self, step):
        return self.schedule(keras.ops.cast(step, "float32") / self.factor)

    def get_config(self) -> dict[str, Any]:
        return {
            "schedule": keras.saving.serialize_keras_object(self.schedule),
            "factor": self.factor,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        schedule = keras.saving.deserialize_keras_object(config["schedule"])
        return cls(schedule, config["factor"])


def scale_schedule(schedule: Any, factor: float) -> Any:
    """Scales the end of a schedule of `rigl_tf.schedules`.

    A schedule without an end stays without one. The first step and the
    interval between updates do not change, as in the code of Sundar &
    Dwaraknath.

    Args:
        schedule: A dataclass of `rigl_tf.schedules`. Any other object is
            returned unchanged.
        factor: Number > 0. The schedule ends `factor` times as late.

    Returns:
        The scaled schedule.
    """
    per_layer = schedules.PerLayer | schedules.PerLayerSparsity
    if isinstance(schedule, per_layer):
        return schedule.map(lambda each: scale_schedule(each, factor))
    if isinstance(schedule, schedules.PiecewiseConstant):
        return schedule.scaled(factor)
    if not dataclasses.is_dataclass(schedule) or isinstance(schedule, type):
        return schedule
    later = {
        field.name: round(getattr(schedule, field.name) * factor)
        for field in dataclasses.fields(schedule)
        if field.name == "end_step"
        and getattr(schedule, field.name) is not None
    }
    return dataclasses.replace(schedule, **later)


def scale_optimizer(optimizer: keras.Optimizer, factor: float) -> None:
    """Scales the learning-rate schedule of an optimizer, if it has one.

    A schedule may define a method `scaled(factor)`. For example,
    `learning_rates.Steps` defines it to keep the length of its warm-up.

    Args:
        optimizer: `keras.optimizers.Optimizer` that is not built.
        factor: Number > 0. The schedule takes `factor` times as many steps.
    """
    schedule = learning_rate_of(optimizer)
    if hasattr(schedule, "scaled"):
        optimizer.learning_rate = schedule.scaled(factor)
    elif isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        optimizer.learning_rate = ScaledSchedule(schedule, factor)
