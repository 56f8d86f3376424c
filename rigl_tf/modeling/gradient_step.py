"""The step that applies gradients: active connections only.

Functions run in each replica. Their arguments are a `SparseStep` and a `Batch`.
"""

import contextlib

import tensorflow as tf

from rigl_tf.kernels import KeepZeros
from rigl_tf.modeling import mask_update
from rigl_tf.utils import optimizer_slots
from rigl_tf.utils import tensors


def apply_gradients(state, batch):
    """Steps the optimizer with the gradients of active connections."""
    algorithm, optimizer = state.algorithm, batch.optimizer
    gradients = list(batch.gradients)
    num_batches = optimizer_slots.accumulation_steps(optimizer)
    scale = _gradient_scale(optimizer) * num_batches
    places = batch.places(state.kernels)
    trained = [
        i
        for i, kernel in enumerate(state.kernels)
        if kernel.variable.trainable and places[i] is not None
    ]
    progress = None
    if algorithm.perturbs_gradient or algorithm.tracks_gradient:
        progress = state.progress()
    for i in trained:
        kernel, gradient = state.kernels[i], gradients[places[i]]
        if algorithm.perturbs_gradient:
            view = kernel.view(mask_update.inputs_of(state, batch, i, progress))
            extra = algorithm.perturb(view, optimizer.learning_rate)
            if extra is not None:
                extra = tensors.masked(extra, view.mask)
                gradient += tf.cast(extra, gradient.dtype) * tf.cast(
                    scale, gradient.dtype
                )
        gradients[places[i]] = kernel.masked(gradient)
    if algorithm.tracks_gradient:
        dense = mask_update.loss_gradients(state, batch)
        for i in trained:
            view = state.kernels[i].view(
                mask_update.inputs_of(
                    state, batch, i, progress, gradient=dense[i]
                )
            )
            state.momenta[i].assign(algorithm.track(view))
    if num_batches > 1:
        for kernel, place in zip(state.kernels, places, strict=True):
            if place is not None:
                sum_so_far = optimizer_slots.accumulated(
                    optimizer, kernel.variable
                )
                sum_so_far.assign(kernel.masked(sum_so_far))
    # A branch of `tf.cond` must not return tensors from outside.
    optimizer.apply([tf.identity(g) for g in gradients], batch.variables)


def accumulate_gradients(state, batch):
    """Adds gradients to the sum over the batches of a step.

    Gradients stay dense if an update needs the inactive ones. The last batch
    of a step masks the sum.
    """
    gradients = [tf.identity(gradient) for gradient in batch.gradients]
    algorithm = state.algorithm
    if not (algorithm.needs_gradient or algorithm.tracks_gradient):
        places = batch.places(state.kernels)
        for kernel, place in zip(state.kernels, places, strict=True):
            if place is not None:
                gradients[place] = kernel.masked(gradients[place])
    batch.optimizer.apply(gradients, batch.variables)


def put_back(state, batch):
    """Restores the variables that the forward pass of a bad batch changed."""
    del state
    for variable, value in zip(batch.changed, batch.before, strict=True):
        variable.assign(value)
    optimizer_slots.lower_loss_scale(batch.optimizer)


def count_non_finite(gradients):
    """Counts the gradients that are not finite, an int32 scalar.

    If a sum is finite, all its terms are; a sum reads the values once, where a
    test of every number takes three passes. The numbers are tested only if a
    sum is not finite, because it may have overflowed (float16: above 65,504).
    """
    values = [getattr(gradient, "values", gradient) for gradient in gradients]

    def count(are_finite):
        return tf.reduce_sum(tf.cast(~tf.stack(are_finite), tf.int32))

    def each():
        finite = [tf.reduce_all(tf.math.is_finite(value)) for value in values]
        return count(finite)

    sums = [tf.math.is_finite(tf.reduce_sum(value)) for value in values]
    return tf.cond(count(sums) == 0, lambda: tf.constant(0), each)


@contextlib.contextmanager
def own_constraints(optimizer, kernels):
    """Replaces `KeepZeros` by the user's own constraints in a context.

    `KeepZeros` stays if the optimizer may change inactive weights.
    """
    keeps_zeros = optimizer_slots.keeps_zeros(optimizer)
    variables = [
        kernel.variable
        for kernel in kernels
        if isinstance(kernel.variable.constraint, KeepZeros)
    ]
    constraints = [variable.constraint for variable in variables]
    for variable, keep_zeros in zip(variables, constraints, strict=True):
        quiet = KeepZeros(keep_zeros.mask, keep_zeros.inner)
        if keeps_zeros and keep_zeros.inner is None:
            quiet = None
        variable.constraint = quiet
    try:
        yield
    finally:
        for variable, keep_zeros in zip(variables, constraints, strict=True):
            variable.constraint = keep_zeros


def _gradient_scale(optimizer):
    """Returns the factor of a replica's gradient before it is applied."""
    num_replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return optimizer_slots.loss_scale(optimizer) / num_replicas
