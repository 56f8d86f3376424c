"""A callback that every `fit` of a sparse model has."""

import warnings

import keras
import numpy as np

from rigl_tf import plan
from rigl_tf import tensors
from rigl_tf.replicas import Agreement

MOST_BAD_STEPS = 100
"""So many skipped steps in a row end training."""

_PERIOD = 1000  # steps between two looks at the replicas


class Guard(keras.callbacks.Callback):
    """Tells the model how long this `fit` is, and stops what cannot go on.

    Raises:
        ValueError: Before the first step, if a weight is not finite or a
            schedule is left open.
        FloatingPointError: While training, if `MOST_BAD_STEPS` steps in a row
            were skipped because their gradients were not finite.
        RuntimeError: While training, if replicas no longer have the same
            weights, masks or slots. They are compared at every 1,000th step
            and at the end of every epoch.
    """

    def on_train_begin(self, logs=None):
        del logs
        model = self.model
        # Not all would be skipped in training: a fused ReLU of NaN is 0.
        plan.check_finite(model.network.variables + model.optimizer.variables)
        steps, epochs = self.params["steps"], self.params["epochs"]
        model.plan(None if steps is None else steps * epochs, steps)
        model.impose_masks()
        self._agreement = None
        if model.distribute_strategy.num_replicas_in_sync > 1:
            self._agreement = Agreement(
                model.distribute_strategy,
                model.variables + model.optimizer.variables,
            )
        self._unseen = {"bad steps": 0, "replicas": 0}

    def on_epoch_begin(self, epoch, logs=None):
        del epoch, logs
        self._start = self._counts()

    def on_train_batch_end(self, batch, logs=None):
        del batch, logs
        # Reading a variable waits for the step, so it is not done at each.
        if self._is_time("bad steps", MOST_BAD_STEPS // 2):
            self._check_bad_steps()
        if self._agreement and self._is_time("replicas", _PERIOD):
            self._agreement.check()

    def on_epoch_end(self, epoch, logs=None):
        steps, skipped = np.subtract(self._counts(), self._start)
        if skipped == steps:  # metrics of nothing would be 0
            for name in logs or {}:
                if not name.startswith("val_"):
                    logs[name] = float("nan")
        # Scaling the loss begins with some steps whose gradients overflow.
        scaled = isinstance(
            self.model.optimizer, keras.optimizers.LossScaleOptimizer
        )
        if skipped and (skipped == steps or not scaled):
            warnings.warn(
                f"In epoch {epoch + 1}, {skipped} of {steps} steps were "
                "skipped: their gradients were NaN or infinite. Look for NaN "
                "in the data, or lower the learning rate.",
                stacklevel=2,
            )
        self._check_bad_steps()
        if self._agreement:
            self._agreement.check()

    def _is_time(self, what, period):
        self._unseen[what] += self.model.steps_per_execution
        if self._unseen[what] < period:
            return False
        self._unseen[what] = 0
        return True

    def _check_bad_steps(self):
        bad = tensors.as_int(self.model.num_skipped_last)
        if bad >= MOST_BAD_STEPS:
            raise FloatingPointError(
                f"The gradients of the last {bad} steps were NaN or infinite. "
                "The weights are those of the last good step. Look for NaN in "
                "the data, or lower the learning rate."
            )

    def _counts(self):
        model = self.model
        return tensors.as_int(model.step), tensors.as_int(model.num_skipped)
