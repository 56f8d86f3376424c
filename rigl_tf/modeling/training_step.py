"""One training step: the forward pass, the gradients, and their use.

A step applies its gradients, or moves connections, or changes nothing. If XLA
compiles the step, it compiles all but the update of the masks: compiling an
update takes long, and few steps have one.
"""

from typing import Any
from typing import NamedTuple

import keras
import tensorflow as tf
from keras import tree

from rigl_tf import kernels
from rigl_tf._keras_compat import NOT_INLINED
from rigl_tf._keras_compat import add_to_logged_loss
from rigl_tf._keras_compat import is_for_xla
from rigl_tf._keras_compat import unregistered_gradients
from rigl_tf.distribute import replica_sync
from rigl_tf.modeling import gradient_step
from rigl_tf.modeling import mask_update
from rigl_tf.modeling import schedule_resolution
from rigl_tf.utils import optimizer_slots
from rigl_tf.utils import tensors


class Batch(NamedTuple):
    """The data of one batch that a step uses.

    Attributes:
        optimizer: `keras.optimizers.Optimizer`, built.
        variables: List of the variables that the optimizer trains.
        gradients: List of tensors in the order of `variables`, gradients of
            the loss after `optimizer.scale_loss`, dense for masked kernels.
        flows: List of `Flow`, the calls of layers that store active
            connections only; `outputs` are gradients. `None` if unknown.
        changed: List of variables that the forward pass has changed.
        before: List of tensors, the values of `changed` before the pass.
        is_total: Boolean, whether `gradients` are already the result of
            `mask_update.loss_gradients`, and `flows` without the loss scale.
    """

    optimizer: Any
    variables: list
    gradients: list
    flows: list | None = None
    changed: list = []
    before: list = []
    is_total: bool = False

    def places(self, kernels):
        """Returns the index of each kernel in `variables`, or `None`."""
        places = {id(v): i for i, v in enumerate(self.variables)}
        return [places.get(id(kernel.variable)) for kernel in kernels]

    def tensors(self):
        """Returns gradients, and inputs and outputs of flows."""
        flows = self.flows or []
        return self.gradients, [(f.inputs, f.outputs) for f in flows]

    def with_tensors(self, gradients, of_flows):
        """Returns a copy with other `tensors`."""
        flows = [
            flow._replace(inputs=inputs, outputs=outputs)
            for flow, (inputs, outputs) in zip(
                self.flows or [], of_flows, strict=True
            )
        ]
        return self._replace(gradients=gradients, flows=flows)


class _Outcome(NamedTuple):
    """What a step has done with its gradients, and what is left to do.

    Attributes:
        is_complete: Boolean tensor, whether the step ends with this batch.
        is_due: Boolean tensor, whether an update of the masks follows.
    """

    is_complete: Any
    is_due: Any


def train_step(model, data):
    """Trains a model on one batch.

    Args:
        model: `SparseModel`, compiled.
        data: The batch, as Keras passes it to `train_step`.

    Returns:
        Dictionary from metric to value.
    """
    state = model.sparse_step
    if not compiles_itself(model) or is_for_xla():
        logs, batch = _forward_and_backward(model, data)
        finish_step(state, batch)
        return logs
    batches = []

    def without_update(data):
        logs, batch = _forward_and_backward(model, data)
        batch = _checked(state, batch)
        batches.append(_for_update(state, batch))
        outcome = _use_gradients(state, batch)
        return logs, outcome, batches[-1].tensors()

    step = tf.function(without_update, autograph=False, jit_compile=True)
    logs, outcome, tensors = step(data)
    _finish(state, batches[-1].with_tensors(*tensors), outcome)
    return logs


def compiles_itself(model):
    """Returns whether `train_step` has XLA compile a part of the step.

    If not, and `model.jit_compile` is true, the caller compiles all of it.
    """
    return (
        model.jit_compile
        and model.sparse_step.algorithm.updates_masks
        and tf.distribute.get_strategy().num_replicas_in_sync == 1
    )


def _forward_and_backward(model, data):
    """Returns the logs of a batch, and the `Batch` with its gradients."""
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    # A forward pass changes moving averages and metrics. Their values are
    # stored first, so that a skipped step can restore them.
    moving = model.moving_averages
    changed = moving + tensors.floats(model.metrics_variables)
    before = [tf.identity(variable.value) for variable in changed]
    num_examples = tf.shape(tree.flatten(x)[0])[0]
    num_replicas = tf.distribute.get_strategy().num_replicas_in_sync
    share = 1.0
    if num_replicas > 1:
        share = replica_sync.example_share(num_examples)

    with tf.GradientTape() as tape:
        with kernels.recording() as flows:
            y_pred = model(x, training=True)
        loss = model.compute_loss(
            x=x,
            y=y,
            y_pred=y_pred,
            sample_weight=sample_weight,
            training=True,
        )
        loss *= num_replicas  # Keras has divided by this number
        if num_replicas > 1:  # their batches may differ in size, or be empty
            seen = tf.cast(num_examples > 0, loss.dtype)
            loss = tf.math.multiply_no_nan(loss, seen)
        add_to_logged_loss(model, loss, num_examples)
        if num_replicas > 1:
            loss *= tf.cast(share, loss.dtype)
        loss = model.optimizer.scale_loss(loss)
    if num_replicas > 1:
        replica_sync.sync_moving_averages(moving, share)
    variables = model.trainable_variables
    if not model.algorithm.needs_gradient:
        flows = []
    found = tape.gradient(loss, [*variables, *(f.outputs for f in flows)])
    gradients, of_outputs = found[: len(variables)], found[len(variables) :]
    if num_replicas > 1:
        gradients = _zero_if_empty(gradients, num_examples)
    flows = [
        flow._replace(
            outputs=tf.zeros_like(flow.outputs)
            if gradient is None
            else gradient
        )
        for flow, gradient in zip(flows, of_outputs, strict=True)
    ]
    logs = model.compute_metrics(x, y, y_pred, sample_weight=sample_weight)
    return logs, Batch(
        model.optimizer, variables, gradients, flows, changed, before
    )


def finish_step(state, batch):
    """Applies gradients, or moves connections, or changes nothing.

    Call it in replica context, once for each batch, outside of `tf.cond`.

    Args:
        state: `SparseStep`.
        batch: `Batch`. Variables whose gradient is `None` do not change.
    """
    batch = _checked(state, batch)
    for_update = _for_update(state, batch)
    outcome = _use_gradients(state, batch)
    _finish(state, for_update, outcome)


def _checked(state, batch):
    """Returns a batch without gradients that are `None`; checks it."""
    pairs = [
        (gradient, variable)
        for gradient, variable in zip(
            batch.gradients, batch.variables, strict=True
        )
        if gradient is not None
    ]
    if not pairs:
        raise ValueError(
            "The loss does not depend on any trainable weight. Check the "
            "model's outputs, and that some layer is trainable."
        )
    state.resolve_schedules(None)
    _check_flows(state, batch)
    gradients, variables = map(list, zip(*pairs, strict=True))
    if not batch.optimizer.built:
        batch.optimizer.build(variables)
    state.check_optimizer(batch.optimizer)
    state.traced_plan = schedule_resolution.plan(state)
    return batch._replace(
        gradients=gradients, variables=variables, flows=batch.flows or []
    )


def _use_gradients(state, batch):
    """Applies or accumulates finite gradients; otherwise undoes the pass.

    Returns:
        `_Outcome`.
    """
    seen = [tensor for f in batch.flows for tensor in (f.inputs, f.outputs)]
    num_bad = replica_sync.total(
        gradient_step.count_non_finite([*batch.gradients, *seen])
    )

    # Across replicas, because an optimizer cannot be applied in a branch
    # inside one (Keras merges replicas there).
    @unregistered_gradients()
    def choose(strategy, num_bad, batch):
        num_bad = strategy.experimental_local_results(num_bad)[0]
        return _choose(state, batch, num_bad == 0)

    return tf.distribute.get_replica_context().merge_call(
        choose, args=(num_bad, batch)
    )


def _choose(state, batch, is_finite):
    """Runs `_use_gradients` across replicas."""
    algorithm, optimizer = state.algorithm, batch.optimizer
    accumulates = optimizer_slots.accumulation_steps(optimizer) > 1
    is_due = state.is_due() if algorithm.updates_masks else tf.constant(False)
    is_last = is_finite
    if accumulates:
        is_last &= optimizer_slots.completes_accumulation(optimizer)

    def apply():
        return _everywhere(gradient_step.apply_gradients, state, batch)

    def skip():
        if not accumulates:
            state.overdue.assign(is_due)
        return _everywhere(gradient_step.put_back, state, batch)

    def count_step():
        optimizer_slots.count_step(optimizer)
        return tf.constant(0)

    def accumulate():
        return _everywhere(gradient_step.accumulate_gradients, state, batch)

    def use_otherwise():  # finite gradients that are not applied
        if not accumulates:
            return count_step()
        return tf.cond(is_last, count_step, accumulate)

    skipped = tf.cast(~is_finite, tf.int64)
    state.num_skipped.assign_add(skipped)
    state.num_skipped_last.assign((state.num_skipped_last + 1) * skipped)
    replaces_step = algorithm.updates_masks and algorithm.replaces_step
    applies = is_last
    if replaces_step:
        applies &= tf.logical_not(is_due)
    if accumulates or replaces_step:
        tf.cond(applies, apply, lambda: tf.cond(is_finite, use_otherwise, skip))
    else:
        tf.cond(applies, apply, skip)
    # A batch that is not finite is a step without effect.
    is_complete = is_last if accumulates else tf.constant(True)
    return _Outcome(is_complete, is_last & is_due)


def _for_update(state, batch):
    """Returns a `Batch` of kernels, with gradients if an update needs them."""
    algorithm, optimizer = state.algorithm, batch.optimizer
    gradients: Any = batch.gradients
    flows, is_total = batch.flows, False
    places = [p for p in batch.places(state.kernels) if p is not None]
    if not algorithm.needs_gradient:
        places = []
    elif not algorithm.replaces_step:
        # The update comes after the optimizer step.
        is_total = optimizer_slots.changes_gradients(optimizer)
    if is_total:
        found = mask_update.loss_gradients(state, batch)
        kernels_places = batch.places(state.kernels)
        gradients = dict(zip(kernels_places, found, strict=True))
        scale = optimizer_slots.loss_scale(optimizer)
        flows = [f._replace(outputs=f.outputs / scale) for f in flows]
    return Batch(
        optimizer,
        [batch.variables[place] for place in places],
        [tf.convert_to_tensor(gradients[place]) for place in places],
        flows,
        is_total=is_total,
    )


def _finish(state, batch, outcome):
    """Updates the masks if an update is due, and counts the step."""

    def across_replicas(strategy, outcome, batch):
        is_complete, is_due = (
            strategy.experimental_local_results(flag)[0] for flag in outcome
        )
        if state.algorithm.updates_masks:
            tf.cond(
                is_due,
                _when_due(lambda: _update_masks(state, batch)),
                lambda: tf.constant(0),
            )
        state.step.assign_add(tf.cast(is_complete, tf.int64))

    tf.distribute.get_replica_context().merge_call(
        across_replicas, args=(outcome, batch)
    )


def _when_due(update):
    """Returns a function that TensorFlow optimizes when it first runs."""
    if tf.executing_eagerly() or tf.distribute.has_strategy() or is_for_xla():
        return update
    return tf.function(
        update, autograph=False, experimental_attributes=NOT_INLINED
    )


def _update_masks(state, batch):
    """Moves connections; runs across replicas."""
    state.overdue.assign(False)
    _everywhere(mask_update.update_masks, state, batch)
    if state.algorithm.replaces_step:
        optimizer_slots.drop_accumulated(batch.optimizer)
    return tf.constant(0)


def _everywhere(function, state, batch):
    """Calls a function in each replica, from across replicas."""
    strategy = tf.distribute.get_strategy()
    with gradient_step.own_constraints(batch.optimizer, state.kernels):
        strategy.run(function, args=(state, batch))
    return tf.constant(0)


def _check_flows(state, batch):
    """Raises a ValueError if an update needs gradients that are unknown."""
    stored = [
        kernel.name
        for kernel in state.kernels
        if isinstance(kernel, kernels.StoredKernel)
    ]
    if not stored or not state.algorithm.needs_gradient:
        return
    name = type(state.algorithm).__name__
    if batch.flows is None:
        raise ValueError(
            f"{name} needs the gradients of inactive connections. For "
            f"{', '.join(stored)}, which store only active connections, only "
            "the `fit` and `train_step` of the sparse model compute them. "
            "Use these methods, or storage='dense'."
        )
    if optimizer_slots.accumulation_steps(batch.optimizer) > 1:
        raise ValueError(
            f"{name} needs the accumulated gradients of inactive "
            f"connections, but {', '.join(stored)} store only active "
            "connections. Leave `gradient_accumulation_steps` out, or use "
            "storage='dense'."
        )


def _zero_if_empty(gradients, num_examples):
    """Replaces the gradients of an empty batch, means of nothing, by zeros."""
    dense = {i: g for i, g in enumerate(gradients) if isinstance(g, tf.Tensor)}
    dense = tf.cond(
        num_examples > 0,
        lambda: {i: tf.identity(g) for i, g in dense.items()},
        lambda: {i: tf.zeros_like(g) for i, g in dense.items()},
    )
    return [dense.get(i, g) for i, g in enumerate(gradients)]
