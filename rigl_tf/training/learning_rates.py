"""Learning rates that change while training."""

import keras


@keras.saving.register_keras_serializable(package="rigl_tf")
class Steps(keras.optimizers.schedules.LearningRateSchedule):
    """Rises in a line from zero, and falls by a factor at some steps.

    Args:
        learning_rate: Float, the highest.
        milestones: Rising integers, steps from which on it is lower.
        factor: Float, by which it is multiplied at each.
        warmup: Integer, steps until it is as high as that. At step 0, it is
            zero then.
    """

    def __init__(self, learning_rate, milestones=(), factor=0.1, warmup=0):
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

    def stretched(self, factor):
        """Returns the schedule with more time between milestones.

        The warm-up takes as long as before: only the steps behind it are
        `factor` times as many.
        """
        return Steps(
            self.learning_rate,
            [
                self.warmup + (milestone - self.warmup) * factor
                for milestone in self.milestones
            ],
            self.factor,
            self.warmup,
        )

    def get_config(self):
        return {
            "learning_rate": self.learning_rate,
            "milestones": self.milestones,
            "factor": self.factor,
            "warmup": self.warmup,
        }
