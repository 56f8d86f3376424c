"""Longer training: schedules that end later."""

import dataclasses

import keras

from rigl_tf.sparsity import schedules


@keras.saving.register_keras_serializable(package="rigl_tf")
class Stretched(keras.optimizers.schedules.LearningRateSchedule):
    """A learning-rate schedule that takes longer.

    Args:
        schedule: `LearningRateSchedule`.
        factor: Float > 0, how many times as long.
    """

    def __init__(self, schedule, factor):
        self.schedule = schedule
        self.factor = factor

    def __call__(self, step):
        return self.schedule(keras.ops.cast(step, "float32") / self.factor)

    def get_config(self):
        return {
            "schedule": keras.saving.serialize_keras_object(self.schedule),
            "factor": self.factor,
        }

    @classmethod
    def from_config(cls, config):
        schedule = keras.saving.deserialize_keras_object(config["schedule"])
        return cls(schedule, config["factor"])


def stretch(schedule, factor):
    """One of our schedules, with an end that many times as late.

    Open ends stay open. The first step and the interval between updates stay
    the same, as in the code of Sundar & Dwaraknath.

    Args:
        schedule: A dataclass of `rigl_tf.schedules`, or any other object,
            which comes back unchanged.
        factor: Number > 0.
    """
    if isinstance(schedule, schedules.PerLayer):
        return schedule.map(lambda each: stretch(each, factor))
    if isinstance(schedule, schedules.PiecewiseConstant):
        return schedule.stretched(factor)
    if not dataclasses.is_dataclass(schedule):
        return schedule
    later = {
        field.name: round(getattr(schedule, field.name) * factor)
        for field in dataclasses.fields(schedule)
        if field.name == "end_step"
        and getattr(schedule, field.name) is not None
    }
    return dataclasses.replace(schedule, **later)


def stretch_optimizer(optimizer, factor):
    """Stretches the learning-rate schedule of an optimizer, if it has one.

    A schedule that knows what to stretch has a method `stretched`, such as
    `learning_rates.Steps`, which keeps its warm-up as it is.

    Args:
        optimizer: `keras.optimizers.Optimizer` that has not been built.
        factor: Number > 0.
    """
    schedule = optimizer._learning_rate
    if hasattr(schedule, "stretched"):
        optimizer.learning_rate = schedule.stretched(factor)
    elif isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        optimizer.learning_rate = Stretched(schedule, factor)
