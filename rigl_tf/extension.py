"""Longer training: everything that is counted in steps, stretched alike."""

import dataclasses

import keras

from rigl_tf import schedules


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
    """One of our schedules, its begin and end that many times as late.

    Open ends stay open, and the interval between updates stays the same.

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
        if field.name in ("begin_step", "end_step")
        and getattr(schedule, field.name) is not None
    }
    return dataclasses.replace(schedule, **later)


def stretch_optimizer(optimizer, factor):
    """Stretches the learning-rate schedule of an optimizer, if it has one.

    Args:
        optimizer: `keras.optimizers.Optimizer` that has not been built.
        factor: Number > 0.
    """
    schedule = optimizer._learning_rate
    if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        optimizer.learning_rate = Stretched(schedule, factor)
