"""Products with listed inputs, compiled by numba, on all cores."""

import numba
import numpy as np
import tensorflow as tf

from rigl_tf.kernels.ops import numba_threads


def product(x, values, inputs_of):
    """Each neuron's sum over its inputs.

    Args:
        x: float32 tensor of shape (examples, inputs).
        values: float32 tensor of shape (units, fan-in).
        inputs_of: int32 tensor of the same shape. What is no input's number
            counts as 0.

    Returns:
        float32 tensor of shape (examples, units).
    """
    return tf.numpy_function(
        _product, [x, values, inputs_of], tf.float32, stateful=False
    )


def _product(x, values, inputs_of):
    numba_threads.use()
    y = np.empty((len(x), len(values)), np.float32)
    _add_up(x, values, inputs_of.view(np.uint32), y)
    return y


# A sum may be added up in any order, but NaN and infinity are respected.
@numba.njit(parallel=True, fastmath={"contract", "reassoc"})
def _add_up(x, values, inputs_of, y):
    units, fan_in = values.shape
    num = np.uint32(x.shape[1])
    for unit in numba.prange(units):
        for example in range(len(x)):
            total = np.float32(0)
            for i in range(fan_in):
                place = inputs_of[unit, i]
                place = place if place < num else np.uint32(0)
                total += values[unit, i] * x[example, place]
            y[example, unit] = total
