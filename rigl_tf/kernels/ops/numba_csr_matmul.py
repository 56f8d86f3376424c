"""Products with a sparse kernel, compiled by numba, on all cores.

Examples lie side by side in rows that fit into registers: an active connection
is one multiplication of a row by its weight. What is read again and again is
gone through in blocks that fit into the second-level cache.
"""

import functools

import numba
import numpy as np
import tensorflow as tf

from rigl_tf.kernels.ops import numba_cache
from rigl_tf.kernels.ops import numba_runtime
from rigl_tf.kernels.ops import numba_threads
from rigl_tf.kernels.ops import row_column_index
from rigl_tf.kernels.ops import simd_rows

_MOST = 128  # examples in a row
_STEP = 32  # rows have a multiple of it, so that few kinds are compiled
_BLOCK = 1 << 17  # floats of a block at most, 512 KiB
# Connections of a unit in a block: with fewer, its row is loaded too often.
_PER_VISIT = 16
_PER_VISIT_BACKWARD = 32  # where a visit loads a second row
_ONE = np.uint64(1)  # no sign, so that numba does not test indices for it


class Product:
    """Multiplies by one kernel and remembers where its connections are.

    Args:
        inputs: Integer, rows of the kernel as a matrix.
        outputs: Integer, its columns.
    """

    def __init__(self, inputs, outputs):
        self._inputs = inputs
        self._outputs = outputs
        self._places = row_column_index.Remembered(
            lambda active: row_column_index.index_of(active, inputs, outputs)
        )

    def forward(self, x, values, active):
        """`x @ kernel`.

        Args:
            x: float32 tensor of shape (examples, inputs).
            values: float32 tensor, a weight for each position.
            active: int32 tensor, sorted flat positions, padding at the end.

        Returns:
            float32 tensor of shape (examples, outputs).
        """
        y = tf.numpy_function(
            self._forward,
            [_in_rows(x), values, active],
            tf.float32,
            stateful=False,
        )
        return _out_of_rows(y, tf.shape(x)[0], self._outputs)

    def backward(self, x, values, active, dy):
        """The gradients with respect to `x` and `values`."""
        dx, dvalues = tf.numpy_function(
            self._backward,
            [_in_rows(x), values, active, _in_rows(dy)],
            [tf.float32, tf.float32],
            stateful=False,
        )
        dx = _out_of_rows(dx, tf.shape(x)[0], self._inputs)
        return dx, tf.ensure_shape(dvalues, values.shape)

    def _forward(self, x, values, active):
        numba_threads.use()
        where = self._places.of(active)
        y = numba_runtime.empty((len(x), self._outputs, x.shape[-1]))
        forward, _ = _compiled(x.shape[-1])
        block = self._block(_PER_VISIT, where, x)
        forward(x, values, where, y, block)
        return y

    def _backward(self, x, values, active, dy):
        numba_threads.use()
        where = self._places.of(active)
        dx = numba_runtime.empty(x.shape)
        dvalues = numba_runtime.empty(values.shape)
        dvalues[:] = 0
        _, backward = _compiled(x.shape[-1])
        block = self._block(_PER_VISIT_BACKWARD, where, x)
        backward(x, dy, values, active, where, dx, dvalues, block)
        return dx, dvalues

    def _block(self, per_visit, where, x):
        """Returns how many rows are gone through before the next ones."""
        connections = max(len(where.order), 1)
        rows = per_visit * self._inputs * self._outputs // connections
        return min(rows, _BLOCK // x.shape[-1])


def _in_rows(x):
    """From (examples, units) to (rows, units, examples in a row)."""
    num, units = tf.shape(x)[0], x.shape[1]
    count = tf.maximum(-(-num // _MOST), 1)
    width = -(-num // (count * _STEP)) * _STEP
    width = tf.maximum(width, _STEP)
    padded = tf.pad(x, [[0, count * width - num], [0, 0]])
    return tf.transpose(tf.reshape(padded, (count, width, units)), (0, 2, 1))


def _out_of_rows(x, num, units):
    together = tf.reshape(tf.transpose(x, (0, 2, 1)), (-1, units))
    return together[:num]


@functools.cache
def _compiled(width):
    """Returns both products for rows of `width` examples."""

    def forward(x, values, where, y, block):
        order, inputs = where.order, where.inputs
        starts, parts = where.output_starts, where.output_parts
        num_rows, num_inputs, _ = x.shape
        num_outputs = y.shape[1]
        for part in numba.prange(len(parts) - 1):
            begin, end = parts[part], parts[part + 1]
            first = np.uint64(starts[begin])
            weights = values[order[starts[begin] : starts[end]]]
            next_one = np.empty(end - begin, np.int32)
            for row in range(num_rows):
                for o in range(begin, end):
                    next_one[o - begin] = starts[o]
                    simd_rows.store(
                        y, row * num_outputs + o, simd_rows.zeros(width)
                    )
                for limit in range(block, num_inputs + block, block):
                    for o in range(begin, end):
                        total = simd_rows.load(y, row * num_outputs + o, width)
                        k = np.uint64(next_one[o - begin])
                        stop = np.uint64(starts[o + 1])
                        while k < stop and inputs[k] < limit:
                            read = simd_rows.load(
                                x, row * num_inputs + inputs[k], width
                            )
                            total = simd_rows.added(
                                total, weights[k - first], read
                            )
                            k += _ONE
                        simd_rows.store(y, row * num_outputs + o, total)
                        next_one[o - begin] = k

    def backward(x, dy, values, active, where, dx, dvalues, block):
        starts, parts = where.input_starts, where.input_parts
        num_rows, num_inputs, _ = x.shape
        num_outputs = dy.shape[1]
        for part in numba.prange(len(parts) - 1):
            begin, end = parts[part], parts[part + 1]
            next_one = np.empty(end - begin, np.int32)
            for row in range(num_rows):
                for i in range(begin, end):
                    next_one[i - begin] = starts[i]
                    simd_rows.store(
                        dx, row * num_inputs + i, simd_rows.zeros(width)
                    )
                for limit in range(block, num_outputs + block, block):
                    for i in range(begin, end):
                        total = simd_rows.load(dx, row * num_inputs + i, width)
                        here = simd_rows.load(x, row * num_inputs + i, width)
                        k = np.uint64(next_one[i - begin])
                        stop = np.uint64(starts[i + 1])
                        first = np.int64(i) * num_outputs
                        while k < stop and active[k] - first < limit:
                            read = simd_rows.load(
                                dy,
                                row * num_outputs + active[k] - first,
                                width,
                            )
                            total = simd_rows.added(total, values[k], read)
                            dvalues[k] += simd_rows.dot(here, read)
                            k += _ONE
                        simd_rows.store(dx, row * num_inputs + i, total)
                        next_one[i - begin] = k

    return (
        numba_cache.njit(forward, parallel=True),
        numba_cache.njit(backward, parallel=True),
    )
