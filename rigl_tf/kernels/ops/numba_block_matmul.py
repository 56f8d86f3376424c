"""Products with a kernel stored in blocks, compiled by numba, on all cores.

Under XLA, the products of `block_matmul` take over.
"""

import functools

import numba
import numpy as np
import tensorflow as tf

from rigl_tf._keras_compat import is_for_xla
from rigl_tf.kernels.ops import block_matmul
from rigl_tf.kernels.ops import numba_cache
from rigl_tf.kernels.ops import numba_runtime
from rigl_tf.kernels.ops import numba_threads
from rigl_tf.kernels.ops import row_column_index
from rigl_tf.kernels.ops.simd_strips import put
from rigl_tf.kernels.ops.simd_strips import split
from rigl_tf.kernels.ops.simd_tiles import add
from rigl_tf.kernels.ops.simd_tiles import turn

_MOST = 64  # examples at a time, few enough to stay in caches


class Product(block_matmul.Product):
    """Multiplies by one kernel and caches the index of its blocks.

    It has the arguments of `block_matmul.Product`; rows and columns of a block
    must be multiples of 8.
    """

    beats_xla = True

    def __init__(self, inputs, outputs, rows, columns):
        super().__init__(inputs, outputs, rows, columns)
        self._blocks = row_column_index.Remembered(
            lambda active: row_column_index.index_of(
                active, self._down, self._across
            )
        )

    def forward(self, x, values, active):
        if is_for_xla():
            return super().forward(x, values, active)
        y = tf.numpy_function(
            self._forward, [x, values, active], tf.float32, stateful=False
        )
        return tf.ensure_shape(y, (x.shape[0], self._outputs))

    def backward(self, x, values, active, dy):
        if is_for_xla():
            return super().backward(x, values, active, dy)
        dx, dvalues = tf.numpy_function(
            self._backward,
            [x, values, active, dy],
            [tf.float32, tf.float32],
            stateful=False,
        )
        dx = tf.ensure_shape(dx, x.shape)
        return dx, tf.ensure_shape(dvalues, values.shape)

    def _forward(self, x, values, active):
        numba_threads.use()
        where = self._blocks.of(active)
        y = numba_runtime.empty((len(x), self._outputs))
        forward, _ = _compiled(self._rows, self._columns)
        forward(x, values, where, y)
        return y

    def _backward(self, x, values, active, dy):
        numba_threads.use()
        where = self._blocks.of(active)
        dx = numba_runtime.empty(x.shape)
        dvalues = numba_runtime.empty(values.shape)
        _, backward = _compiled(self._rows, self._columns)
        backward(x, dy, values, active, where, dx, dvalues)
        return dx, dvalues


@functools.cache
def _compiled(height, width):
    """Returns both products for blocks of `height` rows, `width` columns."""

    def forward(x, values, where, y):
        order, inputs = where.order, where.inputs
        starts, parts = where.output_starts, where.output_parts
        input_starts = where.input_starts
        down = len(input_starts) - 1
        most = min(len(x), _MOST)
        before = np.empty((down, most, height), np.float32)
        for begin in range(0, len(x), _MOST):
            end = min(begin + _MOST, len(x))
            num = end - begin
            split(x[begin:end], input_starts, before, height)
            for part in numba.prange(len(parts) - 1):
                total = np.empty((num, width), np.float32)
                for o in range(parts[part], parts[part + 1]):
                    total[:] = 0
                    for k in range(starts[o], starts[o + 1]):
                        read = before[inputs[k], :num]
                        add(total, read, values[order[k]], width)
                    put(total, y[begin:end], o, width)

    def backward(x, dy, values, active, where, dx, dvalues):
        starts, parts = where.input_starts, where.input_parts
        output_starts = where.output_starts
        down, across = len(starts) - 1, len(output_starts) - 1
        most = min(len(x), _MOST)
        before = np.empty((down, most, height), np.float32)
        above = np.empty((across, most, width), np.float32)
        dvalues[:] = 0
        for begin in range(0, len(x), _MOST):
            end = min(begin + _MOST, len(x))
            num = end - begin
            split(x[begin:end], starts, before, height)
            split(dy[begin:end], output_starts, above, width)
            for part in numba.prange(len(parts) - 1):
                turned = np.empty((width, height), np.float32)
                total = np.empty((num, height), np.float32)
                for i in range(parts[part], parts[part + 1]):
                    here = before[i, :num]
                    total[:] = 0
                    for k in range(starts[i], starts[i + 1]):
                        read = above[active[k] - i * across, :num]
                        turn(values[k], turned)
                        add(total, read, turned, height)
                        add(dvalues[k], here.T, read, width)
                    put(total, dx[begin:end], i, height)

    return (
        numba_cache.njit(forward, parallel=True),
        numba_cache.njit(backward, parallel=True),
    )
