"""Products with a sparse kernel, compiled by numba, on all cores.

Examples lie side by side in rows that fit into registers: an active connection
is one multiplication of a row by its weight. What is read again and again is
gone through in blocks that fit into the second-level cache.
"""

import functools
from typing import NamedTuple

import numba
import numpy as np
import tensorflow as tf

from rigl_tf.storage import positions
from rigl_tf.storage import rows

_MOST = 128  # examples in a row
_STEP = 32  # rows have a multiple of it, so that few kinds are compiled
_BLOCK = 1 << 16  # floats of a block, 256 KiB
_PARTS = 8  # of the work for each thread, so that none waits long for another


class Index(NamedTuple):
    """Where the connections of each input and of each output are.

    Attributes:
        input_starts: int32 array, where each input begins among the positions;
            and where the last one ends.
        input_parts: int32 array, inputs at which parts of equal work begin.
        output_starts: The same as `input_starts` of positions in `order`.
        output_parts: The same as `input_parts` for outputs.
        order: int32 array, the positions' places, by output.
        inputs: int32 array, the inputs of positions in this order.
    """

    input_starts: np.ndarray
    input_parts: np.ndarray
    output_starts: np.ndarray
    output_parts: np.ndarray
    order: np.ndarray
    inputs: np.ndarray


class Product:
    """Multiplies by one kernel and remembers where its connections are.

    Args:
        inputs: Integer, rows of the kernel as a matrix.
        outputs: Integer, its columns.
    """

    def __init__(self, inputs, outputs):
        self._inputs = inputs
        self._outputs = outputs
        self._index = None
        self._index_of = None

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
        index = self._current(active)
        y = np.empty((len(x), self._outputs, x.shape[-1]), np.float32)
        forward, _ = _compiled(x.shape[-1])
        forward(
            x,
            values,
            index.order,
            index.inputs,
            index.output_starts,
            index.output_parts,
            y,
        )
        return y

    def _backward(self, x, values, active, dy):
        index = self._current(active)
        dx = np.empty_like(x)
        dvalues = np.zeros_like(values)
        _, backward = _compiled(x.shape[-1])
        backward(
            x,
            dy,
            values,
            active,
            index.input_starts,
            index.input_parts,
            dx,
            dvalues,
        )
        return dx, dvalues

    def _current(self, active):
        """The index of positions that anything may have changed."""
        numba.set_num_threads(num_threads())
        seen = (len(active), _hash(active))
        if seen != self._index_of:
            self._index = _index(active, self._inputs, self._outputs)
            self._index_of = seen
        return self._index


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


def num_threads():
    wanted = tf.config.threading.get_intra_op_parallelism_threads()
    most = numba.config.NUMBA_NUM_THREADS
    return min(wanted, most) if wanted else most


@numba.njit
def _hash(active):
    """A sum of scrambled positions: of sorted ones, order does not matter."""
    total = np.uint64(0)
    for position in active:
        mixed = np.uint64(position + 1) * np.uint64(0x9E3779B97F4A7C15)
        total += mixed ^ (mixed >> np.uint64(29))
    return total


def _index(active, inputs, outputs):
    count = int(np.searchsorted(active, positions.NONE))
    input_starts, output_starts, order, owners = _sorted(
        active[:count], inputs, outputs
    )
    num_parts = _PARTS * numba.config.NUMBA_NUM_THREADS
    shares = np.linspace(0, count, num_parts + 1)
    return Index(
        input_starts,
        _parts(input_starts, shares),
        output_starts,
        _parts(output_starts, shares),
        order,
        owners,
    )


def _parts(starts, shares):
    parts = np.searchsorted(starts, shares).astype(np.int32)
    parts[0], parts[-1] = 0, len(starts) - 1  # empty ones belong somewhere
    return parts


@numba.njit
def _sorted(active, inputs, outputs):
    """A counting sort of positions by output."""
    input_starts = np.zeros(inputs + 1, np.int32)
    output_starts = np.zeros(outputs + 1, np.int32)
    for position in active:
        input_starts[position // outputs + 1] += 1
        output_starts[position % outputs + 1] += 1
    for i in range(inputs):
        input_starts[i + 1] += input_starts[i]
    for o in range(outputs):
        output_starts[o + 1] += output_starts[o]
    order = np.empty(len(active), np.int32)
    owners = np.empty(len(active), np.int32)
    place = output_starts.copy()
    for k, position in enumerate(active):
        o = position % outputs
        order[place[o]] = k
        owners[place[o]] = position // outputs
        place[o] += 1
    return input_starts, output_starts, order, owners


@functools.cache
def _compiled(width):
    """The two products, for rows of so many examples."""
    block = _BLOCK // width

    @numba.njit(parallel=True)
    def forward(x, values, order, inputs, starts, parts, y):
        num_rows, num_inputs, _ = x.shape
        num_outputs = y.shape[1]
        for part in numba.prange(len(parts) - 1):
            begin, end = parts[part], parts[part + 1]
            next_one = np.empty(end - begin, np.int32)
            for row in range(num_rows):
                for o in range(begin, end):
                    next_one[o - begin] = starts[o]
                    rows.store(y, row * num_outputs + o, rows.zeros(width))
                for limit in range(block, num_inputs + block, block):
                    for o in range(begin, end):
                        total = rows.load(y, row * num_outputs + o, width)
                        k, stop = next_one[o - begin], starts[o + 1]
                        while k < stop and inputs[k] < limit:
                            read = rows.load(
                                x, row * num_inputs + inputs[k], width
                            )
                            total = rows.added(total, values[order[k]], read)
                            k += 1
                        rows.store(y, row * num_outputs + o, total)
                        next_one[o - begin] = k

    @numba.njit(parallel=True)
    def backward(x, dy, values, active, starts, parts, dx, dvalues):
        num_rows, num_inputs, _ = x.shape
        num_outputs = dy.shape[1]
        for part in numba.prange(len(parts) - 1):
            begin, end = parts[part], parts[part + 1]
            next_one = np.empty(end - begin, np.int32)
            for row in range(num_rows):
                for i in range(begin, end):
                    next_one[i - begin] = starts[i]
                    rows.store(dx, row * num_inputs + i, rows.zeros(width))
                for limit in range(block, num_outputs + block, block):
                    for i in range(begin, end):
                        total = rows.load(dx, row * num_inputs + i, width)
                        here = rows.load(x, row * num_inputs + i, width)
                        k, stop = next_one[i - begin], starts[i + 1]
                        first = np.int64(i) * num_outputs
                        while k < stop and active[k] - first < limit:
                            read = rows.load(
                                dy,
                                row * num_outputs + active[k] - first,
                                width,
                            )
                            total = rows.added(total, values[k], read)
                            dvalues[k] += rows.dot(here, read)
                            k += 1
                        rows.store(dx, row * num_inputs + i, total)
                        next_one[i - begin] = k

    return forward, backward
