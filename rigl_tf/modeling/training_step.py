"""One training step: the forward pass, the gradients, and their use.

A step applies its gradients, or moves connections, or changes nothing.
"""

from typing import Any
from typing import NamedTuple

import keras
import tensorflow as tf
from keras import tree

from rigl_tf import kernels
from rigl_tf._keras_compat import add_to_logged_loss
from rigl_tf._keras_compat import unregistered_gradients
from rigl_tf.distribute import replica_sync
from rigl_tf.modeling import gradient_step
from rigl_tf.modeling import mask_update
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
    """

    optimizer: Any
    variables: list
    gradients: list
    flows: list | None = None
    changed: list = []
    before: list = []

    def places(self, kernels):
        """Returns the index of each kernel in `variables`, or `None`."""
        places = {id(v): i for i, v in enumerate(self.variables)}
        return [places.get(id(kernel.variable)) for kernel in kernels]


def train_step(model, data):
    """Trains a model on one batch.

    Args:
        model: `SparseModel`, compiled.
        data: The batch, as Keras passes it to `train_step`.

    Returns:
        Dictionary from metric to value.
    """
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
    finish_step(
        model.sparse_step,
        Batch(model.optimizer, variables, gradients, flows, changed, before),
    )
    return logs


def finish_step(state, batch):
    """Applies gradients, or moves connections, or changes nothing.

    Call it in replica context, once for each batch, outside of `tf.cond`.

    Args:
        state: `SparseStep`.
        batch: `Batch`. Variables whose gradient is `None` do not change.
    """
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
    batch = batch._replace(
        gradients=gradients, variables=variables, flows=batch.flows or []
    )
    seen = [tensor for f in batch.flows for tensor in (f.inputs, f.outputs)]
    num_bad = replica_sync.total(
        gradient_step.count_non_finite([*gradients, *seen])
    )

    # Across replicas, because an optimizer cannot be applied in a branch
    # inside one (Keras merges replicas there).
    @unregistered_gradients()
    def choose(strategy, num_bad, batch):
        num_bad = strategy.experimental_local_results(num_bad)[0]
        tf.cond(
            num_bad == 0,
            lambda: _take(state, batch),
            lambda: _skip(state, batch),
        )

    tf.distribute.get_replica_context().merge_call(
        choose, args=(num_bad, batch)
    )


def _take(state, batch):
    """Makes a step with finite gradients; runs across replicas."""
    optimizer = batch.optimizer

    def apply():
        return _everywhere(gradient_step.apply_gradients, state, batch)

    def update_masks():
        if state.algorithm.replaces_step:
            optimizer_slots.count_step(optimizer)
        state.overdue.assign(False)
        _everywhere(_update_masks, state, batch)
        if state.algorithm.replaces_step:
            optimizer_slots.drop_accumulated(optimizer)
        return tf.constant(0)

    def whole_step():
        if not state.algorithm.updates_masks:
            apply()
        else:
            tf.cond(state.is_due(), update_masks, apply)
        state.step.assign_add(1)
        return tf.constant(0)

    def accumulate():
        return _everywhere(gradient_step.accumulate_gradients, state, batch)

    state.num_skipped_last.assign(0)
    if optimizer_slots.accumulation_steps(optimizer) == 1:
        return whole_step()
    return tf.cond(
        optimizer_slots.completes_accumulation(optimizer),
        whole_step,
        accumulate,
    )


def _update_masks(state, batch):
    """Moves connections, after an optimizer step if the update needs one."""
    gradients = None
    if not state.algorithm.replaces_step:
        # Before the step, which resets accumulated gradients and may change
        # the scale of the loss.
        gradients = mask_update.gradients_for(state, batch)
        gradient_step.apply_gradients(state, batch)
    mask_update.update_masks(state, batch, gradients)


def _skip(state, batch):
    """Undoes the forward pass and counts the step; runs across replicas."""
    state.num_skipped.assign_add(1)
    state.num_skipped_last.assign_add(1)
    if optimizer_slots.accumulation_steps(batch.optimizer) == 1:
        state.overdue.assign(state.is_due())
        state.step.assign_add(1)
    return _everywhere(gradient_step.put_back, state, batch)


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
