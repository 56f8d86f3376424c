"""The callback that every `fit` of a sparse model uses."""

import warnings
from typing import Any

import keras

from rigl_tf.distribute.replica_sync import ReplicaConsistencyCheck
from rigl_tf.kernels import StoredKernel
from rigl_tf.modeling import schedule_resolution
from rigl_tf.modeling import unit_budgets
from rigl_tf.modeling.forwarded_attributes import network_of
from rigl_tf.utils import optimizer_slots
from rigl_tf.utils import tensors

MOST_BAD_STEPS = 100
"""This many skipped steps in a row end training."""

_PERIOD = 1000  # steps between two looks at the replicas


class TrainingGuard(keras.callbacks.Callback):
    """Resolves the schedules of a `fit`, and stops a training that is lost.

    Args:
        sparse_step: `SparseStep` of the model.

    Attributes:
        sparsity: Float, the sparsity after the last epoch; `None` if it does
            not change.
        has_warned: Whether a warning of the sparsity was shown.

    Raises:
        ValueError: Before the first step, if a weight is not finite or a
            schedule is left open.
        FloatingPointError: While training, if `MOST_BAD_STEPS` steps in a row
            were skipped because their gradients were not finite.
        RuntimeError: While training, if replicas no longer have the same
            weights, masks or slots. They are compared at every 1,000th step
            and at the end of every epoch.
    """

    def __init__(self, sparse_step):
        super().__init__()
        self.sparse_step = sparse_step

    def on_train_begin(self, logs=None):
        del logs
        model = self.model
        # Not all would be skipped in training: a fused ReLU of NaN is 0.
        schedule_resolution.check_finite(
            model.variables + model.optimizer.variables
        )
        self.sparse_step.impose_masks()
        self.sparsity, self.has_warned = None, False
        self._is_resolved = False
        self._agreement = None
        if model.distribute_strategy.num_replicas_in_sync > 1:
            self._agreement = ReplicaConsistencyCheck(
                model.distribute_strategy, self._common_variables()
            )
        self._unseen = {"bad steps": 0, "replicas": 0}

    def _common_variables(self):
        """Returns the variables that all replicas must have alike."""
        model = self.model
        variables = model.variables + model.optimizer.variables
        known = {id(variable) for variable in variables}
        masks = [
            kernel.mask
            for kernel in self.sparse_step.kernels
            if not isinstance(kernel, StoredKernel)
        ]
        variables += [mask for mask in masks if id(mask) not in known]
        if not getattr(model, "trains_itself", True):
            return variables
        # The train steps of Keras let moving averages differ.
        network = network_of(model)
        moving = tensors.floats(network.non_trainable_variables)
        differ = {id(variable) for variable in moving}
        return [v for v in variables if id(v) not in differ]

    def on_epoch_begin(self, epoch, logs=None):
        del logs
        if not self._is_resolved:  # here the first epoch is known
            self._resolve(epoch)
        self._skipped_before = self._num_skipped()
        self._num_batches = 0

    def _resolve(self, first_epoch):
        self._is_resolved = True
        per_epoch = self.params["steps"]
        num_steps, num_before = None, 0
        if per_epoch is not None:
            batches = optimizer_slots.accumulation_steps(self.model.optimizer)
            num_epochs = self.params["epochs"] - first_epoch
            num_steps = per_epoch * num_epochs // batches
            num_before = per_epoch * first_epoch // batches
            per_epoch = max(per_epoch // batches, 1)
        self.has_warned = bool(
            self.sparse_step.resolve_schedules(num_steps, per_epoch, num_before)
        )
        # Weights or masks may have been set since the last training.
        self.sparse_step.check_optimizer(self.model.optimizer)
        self.sparse_step.forget_inactive()
        if schedule_resolution.is_traced_for_another_plan(self.sparse_step):
            self.model.make_train_function(force=True)

    def on_train_batch_end(self, batch, logs=None):
        del logs
        self._num_batches = batch + 1
        # Reading a variable waits for the step, so not after every step.
        if self._is_time("bad steps", MOST_BAD_STEPS // 2):
            self._check_bad_steps()
        if self._agreement and self._is_time("replicas", _PERIOD):
            self._agreement.check()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        skipped = self._num_skipped() - self._skipped_before
        steps = self._num_batches
        if skipped >= steps:  # metrics without examples would be 0
            for name in logs or {}:
                if not name.startswith("val_"):
                    logs[name] = float("nan")
        # A scaled loss overflows in the first steps and now and then; one that
        # is scaled down does not, so that the gradients themselves are bad.
        optimizer = self.model.optimizer
        scaled = optimizer_slots.scales_loss(optimizer)
        scale = float(tensors.as_array(optimizer_slots.loss_scale(optimizer)))
        if skipped and (skipped >= steps or not scaled or scale < 1):
            advice = (
                f" Each halves the loss scale, which is {scale:.2g}. If it "
                "keeps falling, weights stop moving."
            )
            warnings.warn(
                f"In epoch {epoch + 1}, {skipped} of {steps} steps were "
                "skipped: their gradients were NaN or infinite. Look for NaN "
                "in the data, or lower the learning rate."
                + (advice if scaled else "")
                + self._lost_averages(),
                stacklevel=2,
            )
        self._check_bad_steps()
        if self._agreement:
            self._agreement.check()
        if self.sparse_step.sparsity is not None:
            self.sparsity = current_sparsity(self.sparse_step)

    def _lost_averages(self):
        lost = schedule_resolution.not_finite(
            self.model.non_trainable_variables
        )
        if not lost:
            return ""
        return (
            f" The moving averages {', '.join(lost)} became NaN: only the "
            "train step of a sparse model restores moving averages after a "
            "skipped batch."
        )

    def _is_time(self, what, period):
        self._unseen[what] += self.model.steps_per_execution
        if self._unseen[what] < period:
            return False
        self._unseen[what] = 0
        return True

    def _check_bad_steps(self):
        bad = tensors.as_int(self.sparse_step.num_skipped_last)
        if bad >= MOST_BAD_STEPS:
            raise FloatingPointError(
                f"The gradients of the last {bad} steps were NaN or infinite. "
                "The weights are from the last good step. Look for NaN in "
                "the data, or lower the learning rate."
            )

    def _num_skipped(self):
        return tensors.as_int(self.sparse_step.num_skipped)


def current_sparsity(sparse_step):
    """Returns the fraction of zeros in all masked kernels, a float."""
    kernels = sparse_step.kernels
    active = sum(int(kernel.count()) for kernel in kernels)
    return 1 - active / sum(kernel.size for kernel in kernels)


def wanted_sparsity(sparse_step):
    """Returns the final fraction of zeros, by the budgets."""
    kernels = sparse_step.kernels
    all_units = unit_budgets.sizes(kernels, sparse_step.structure)
    active = sum(
        kernel.size * budget / units
        for kernel, budget, units in zip(
            kernels, sparse_step.budgets, all_units, strict=True
        )
    )
    return 1 - active / sum(kernel.size for kernel in kernels)


def look_back(sparse_step, guard):
    """Warns if the final sparsity is not the requested sparsity.

    Args:
        sparse_step: `SparseStep` of the model.
        guard: `TrainingGuard` of the training that has ended.
    """
    if sparse_step.sparsity is None or guard.sparsity is None:
        return
    now = current_sparsity(sparse_step)
    wanted = wanted_sparsity(sparse_step)
    step = tensors.as_int(sparse_step.step)
    smallest = 1 / sum(kernel.size for kernel in sparse_step.kernels)
    units = sum(
        kernel.count_units(sparse_step.structure)
        for kernel in sparse_step.kernels
    )
    too_many = units - sum(sparse_step.budgets)
    if abs(now - guard.sparsity) > smallest:
        warnings.warn(
            f"The model has a sparsity of {now:.4f} instead of "
            f"{guard.sparsity:.4f}, its sparsity after the last epoch: a "
            "callback has restored the weights of another epoch. Let the "
            "callback compare only epochs with the final sparsity, for "
            "example `EarlyStopping(start_from_epoch=..., "
            "restore_best_weights=True)`.",
            stacklevel=3,
        )
    elif too_many > 2 and not guard.has_warned:
        end_step = sparse_step.schedule.end_step
        warnings.warn(
            f"Training has ended at step {step} with a sparsity of "
            f"{now:.4f} instead of {wanted:.4f}"
            + (f" by step {end_step}" if end_step else "")
            + ". Train longer, or let the schedule end sooner: "
            "`schedule=UpdateSchedule(end_step=...)`.",
            stacklevel=3,
        )
