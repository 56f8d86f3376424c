"""Products with a kernel stored in blocks, compiled by numba, on all cores.

What XLA compiles is multiplied in plain TensorFlow, as without numba.
"""

import functools

import numba
import numpy as np
import tensorflow as tf

from rigl_tf.storage import block_product
from rigl_tf.storage import index
from rigl_tf.storage import threads
from rigl_tf.storage import tiles
from rigl_tf.tensors import is_for_xla

_MOST = 512  # examples at a time, which fit into the second-level cache


class Product(block_product.Product):
    """Multiplies by one kernel and remembers where its blocks are.

    Arguments are those of `block_product.Product`; rows and columns of a block
    are multiples of 8.
    """

    beats_xla = True

    def __init__(self, inputs, outputs, rows, columns):
        super().__init__(inputs, outputs, rows, columns)
        self._blocks = index.Places(self._down, self._across)

    def forward(self, x, values, active):
        if is_for_xla():
            return super().forward(x, values, active)
        y = tf.numpy_function(
            self._forward,
            [self._split_inputs(x), values, active],
            tf.float32,
            stateful=False,
        )
        return self._joined_outputs(y)

    def backward(self, x, values, active, dy):
        if is_for_xla():
            return super().backward(x, values, active, dy)
        dx, dvalues = tf.numpy_function(
            self._backward,
            [self._split_inputs(x), values, active, self._split_outputs(dy)],
            [tf.float32, tf.float32],
            stateful=False,
        )
        dvalues = tf.ensure_shape(dvalues, values.shape)
        return self._joined_inputs(dx), dvalues

    def _forward(self, x, values, active):
        threads.use()
        where = self._blocks.of(active)
        y = np.zeros((self._across, x.shape[1], self._columns), np.float32)
        forward, _ = _compiled(self._rows, self._columns)
        forward(x, values, where, y)
        return y

    def _backward(self, x, values, active, dy):
        threads.use()
        where = self._blocks.of(active)
        dx = np.zeros_like(x)
        dvalues = np.zeros_like(values)
        _, backward = _compiled(self._rows, self._columns)
        backward(x, dy, values, active, where, dx, dvalues)
        return dx, dvalues


@functools.cache
def _compiled(height, width):
    """The two products, for blocks of so many rows and columns."""
    add = tiles.adder(width)
    add_turned = tiles.adder(height)

    @numba.njit(parallel=True)
    def forward(x, values, where, y):
        order, inputs = where.order, where.inputs
        starts, parts = where.output_starts, where.output_parts
        num = x.shape[1]
        for part in numba.prange(len(parts) - 1):
            for o in range(parts[part], parts[part + 1]):
                for begin in range(0, num, _MOST):
                    end = min(begin + _MOST, num)
                    below = y[o, begin:end]
                    for k in range(starts[o], starts[o + 1]):
                        add(below, x[inputs[k], begin:end], values[order[k]])

    @numba.njit(parallel=True)
    def backward(x, dy, values, active, where, dx, dvalues):
        starts, parts = where.input_starts, where.input_parts
        num, across = x.shape[1], len(dy)
        for part in numba.prange(len(parts) - 1):
            turned = np.empty((width, height), np.float32)
            for i in range(parts[part], parts[part + 1]):
                for begin in range(0, num, _MOST):
                    end = min(begin + _MOST, num)
                    before = x[i, begin:end]
                    for k in range(starts[i], starts[i + 1]):
                        above = dy[active[k] - i * across, begin:end]
                        turned[:] = values[k].T
                        add_turned(dx[i, begin:end], above, turned)
                        add(dvalues[k], before.T, above)

    return forward, backward
