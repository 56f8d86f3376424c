"""Matrix product of a condensed kernel, compiled by numba, on all cores."""

import functools

import numba
import numpy as np
import tensorflow as tf

from rigl_tf.kernels.ops import numba_cache
from rigl_tf.kernels.ops import numba_threads


def condensed_matmul(x, values, inputs_of):
    """Computes the weighted sum of each neuron over its inputs.

    Args:
        x: float32 tensor of shape (examples, inputs).
        values: float32 tensor of shape (units, fan-in).
        inputs_of: int32 tensor of the same shape, indices of inputs. Indices
            out of range count as 0.

    Returns:
        float32 tensor of shape (examples, units).
    """
    return tf.numpy_function(
        _compute, [x, values, inputs_of], tf.float32, stateful=False
    )


def _compute(x, values, inputs_of):
    numba_threads.use()
    y = np.empty((len(x), len(values)), np.float32)
    _add_up(x, values, inputs_of.view(np.uint32), y)
    return y


# The order of a sum may change, but NaN and infinity are respected.
@functools.partial(
    numba_cache.njit, parallel=True, fastmath={"contract", "reassoc"}
)
def _add_up(x, values, inputs_of, y):
    units, fan_in = values.shape
    num_inputs = np.uint32(x.shape[1])
    for unit in numba.prange(units):
        for example in range(len(x)):
            total = np.float32(0)
            for i in range(fan_in):
                index = inputs_of[unit, i]
                index = index if index < num_inputs else np.uint32(0)
                total += values[unit, i] * x[example, index]
            y[example, unit] = total
