"""The train step of `SparseModel`: forward pass, loss and gradients."""

import keras
import tensorflow as tf
from keras import tree

from rigl_tf import kernels
from rigl_tf._keras_compat import add_to_logged_loss
from rigl_tf.distribute import replica_sync
from rigl_tf.utils import tensors


def train_step(model, data):
    """Trains a model on one batch.

    Args:
        model: `SparseModel`, compiled.
        data: The batch, as Keras passes it to `train_step`.

    Returns:
        Dictionary from metric to value.
    """
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    # A forward pass changes moving averages and metrics. Their values before
    # are kept, so that a step that is skipped can put them back.
    moving = model.moving_averages
    state = moving + tensors.floats(model.metrics_variables)
    undo = [(v, tf.identity(v.value)) for v in state]
    num_examples = tf.shape(tree.flatten(x)[0])[0]
    num_replicas = tf.distribute.get_strategy().num_replicas_in_sync

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
            share = replica_sync.example_share(num_examples)
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
    records = [
        (flow, tf.zeros_like(flow.outputs) if gradient is None else gradient)
        for flow, gradient in zip(flows, of_outputs, strict=True)
    ]
    logs = model.compute_metrics(x, y, y_pred, sample_weight=sample_weight)
    model.sparse_step.apply(
        model.optimizer, gradients, variables, records, undo
    )
    return logs


def _zero_if_empty(gradients, num_examples):
    """Replaces the gradients of an empty batch, means of nothing, by zeros."""
    dense = {i: g for i, g in enumerate(gradients) if isinstance(g, tf.Tensor)}
    dense = tf.cond(
        num_examples > 0,
        lambda: {i: tf.identity(g) for i, g in dense.items()},
        lambda: {i: tf.zeros_like(g) for i, g in dense.items()},
    )
    return [dense.get(i, g) for i, g in enumerate(gradients)]
