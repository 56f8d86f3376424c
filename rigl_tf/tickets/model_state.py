"""The weights and masks of a model before, during and after a search."""

import contextlib

import numpy as np

from rigl_tf.modeling import sparse_wrapper
from rigl_tf.modeling.convert import densify
from rigl_tf.utils import tensors


def activate_all(model):
    """Makes every connection of a model active."""
    for kernel in sparse_wrapper.sparse_kernels(model):
        kernel.set_mask(np.ones(kernel.kernel_shape, bool))


def plain_weights(sparse):
    """Returns the variables of a sparse model that a plain model also has."""
    return sparse.network.weights


def get_weights(sparse):
    """Returns the arrays that `get_weights` of the plain model returns."""
    return [tensors.as_array(v) for v in plain_weights(sparse)]


def set_weights(sparse, weights):
    """Assigns the weights of a plain model to a sparse model."""
    for variable, value in zip(plain_weights(sparse), weights, strict=True):
        variable.assign(value)


@contextlib.contextmanager
def left_alone(model):
    """Restores the state of a model at the end of the context."""
    restore = _restorer(model)
    try:
        yield
    finally:
        restore()


@contextlib.contextmanager
def restored_after_an_error(model):
    """Restores the state of a model if the context ends with an error."""
    restore = _restorer(model)
    try:
        yield
    except BaseException:
        restore()
        raise


def _restorer(model):
    """Returns a function that gives a model its present state again."""
    was_sparse = bool(sparse_wrapper.sparse_layers(model))
    before = [
        (variable, tensors.as_array(variable), variable.trainable)
        for variable in model.variables
    ]

    def restore():
        if not was_sparse:
            densify(model)
        for variable, value, trainable in before:
            variable.assign(value)
            variable.trainable = trainable

    return restore
