"""Learning-rate schedules."""

from collections.abc import Sequence
from typing import Any
from typing import Self

import keras


@keras.saving.register_keras_serializable(package="rigl_tf")
class Steps(keras.optimizers.schedules.LearningRateSchedule):
    """Step-wise learning-rate schedule with a linear warm-up.

    Args:
        learning_rate: Float, the highest learning rate.
        milestones: Increasing integers. From each of these steps on, the
            learning rate is multiplied by `factor` once more.
        factor: Float.
        warmup: Integer, number of steps until the learning rate has risen from
            zero to `learning_rate`. With 0, there is no warm-up.
    """

    def __init__(
        self,
        learning_rate: float,
        milestones: Sequence[float] = (),
        factor: float = 0.1,
        warmup: int = 0,
    ) -> None:
        self.learning_rate = learning_rate
        self.milestones = tuple(milestones)
        self.factor = factor
        self.warmup = warmup

    def __call__(self, step):
        step = keras.ops.cast(step, "float32")
        rate = self.learning_rate
        for milestone in self.milestones:
            rate *= keras.ops.where(step >= milestone, self.factor, 1.0)
        if self.warmup:
            rate *= keras.ops.minimum(step / self.warmup, 1.0)
        return keras.ops.cast(rate, "float32")

    def scaled(self, factor: float) -> Self:
        """Returns a schedule that is `factor` times as long.

        The warm-up keeps its length; only the steps after it are scaled.
        """
        return type(self)(
            self.learning_rate,
            [
                self.warmup + (milestone - self.warmup) * factor
                for milestone in self.milestones
            ],
            self.factor,
            self.warmup,
        )

    def get_config(self) -> dict[str, Any]:
        return {
            "learning_rate": self.learning_rate,
            "milestones": self.milestones,
            "factor": self.factor,
            "warmup": self.warmup,
        }
