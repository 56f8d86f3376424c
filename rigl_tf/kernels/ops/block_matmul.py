"""Products with a kernel stored in blocks, in plain TensorFlow.

Each active block is a small matrix: one batched product, on any device.
"""

import tensorflow as tf

from rigl_tf._keras_compat import is_for_xla
from rigl_tf.kernels import index_sets


class Product:
    """Multiplies by one kernel that stores its active blocks.

    Args:
        inputs: Integer, rows of the kernel as a matrix.
        outputs: Integer, its columns.
        rows: Integer, inputs in a block.
        columns: Integer, outputs in a block.
    """

    beats_xla = False

    def __init__(self, inputs, outputs, rows, columns):
        self._inputs = inputs
        self._outputs = outputs
        self._rows = rows
        self._columns = columns
        self._down = -(-inputs // rows)
        self._across = -(-outputs // columns)

    def forward(self, x, values, active):
        """Computes `x @ kernel`.

        Args:
            x: Float tensor of shape (examples, inputs).
            values: Float tensor of shape (capacity, rows, columns).
            active: int32 tensor, sorted numbers of blocks, in the order of
                rows of blocks, padding at the end.

        Returns:
            Float tensor of shape (examples, outputs).
        """
        row, column = self._places(active)
        before = tf.gather(self._split_inputs(x), row)
        parts = tf.matmul(before, values)
        order = tf.argsort(column, stable=True)
        y = _summed(parts, column, order, self._across)
        return self._joined_outputs(y)

    def backward(self, x, values, active, dy):
        """Computes the gradients with respect to `x` and `values`."""
        row, column = self._places(active)
        above = tf.gather(self._split_outputs(dy), column)
        parts = tf.matmul(above, values, transpose_b=True)
        dx = _summed(parts, row, tf.range(tf.size(row)), self._down)
        before = tf.gather(self._split_inputs(x), row)
        dvalues = tf.matmul(before, above, transpose_a=True)
        there = tf.not_equal(active, index_sets.NONE)[:, None, None]
        zero = tf.zeros([], dvalues.dtype)
        return self._joined_inputs(dx), tf.where(there, dvalues, zero)

    def mean_gradients(self, flows):
        """Computes the mean |gradient| of every block, active or not.

        Args:
            flows: List of `Flow`, whose gradients add up.

        Returns:
            Float tensor of shape (blocks down, blocks across).
        """
        above = [self._split_outputs(flow.outputs) for flow in flows]
        before = tuple(self._split_inputs(flow.inputs) for flow in flows)

        def of_row(parts):  # (examples, rows) of each flow
            gradient = tf.add_n(
                [
                    tf.matmul(part[None], other, transpose_a=True)
                    for part, other in zip(parts, above, strict=True)
                ]
            )
            return tf.reduce_sum(tf.abs(gradient), axis=(1, 2))

        sums = tf.map_fn(
            of_row,
            before,
            fn_output_signature=tf.TensorSpec([self._across]),
            parallel_iterations=1,
        )
        return sums / tf.cast(self.sizes(), sums.dtype)

    def inside(self, values, active):
        """Values of blocks, zero where a block reaches beyond the kernel."""
        row, column = self._places(active)
        down = row[:, None] * self._rows + tf.range(self._rows)
        across = column[:, None] * self._columns + tf.range(self._columns)
        is_in = (down < self._inputs)[:, :, None]
        is_in &= (across < self._outputs)[:, None, :]
        return tf.where(is_in, values, tf.zeros([], values.dtype))

    def joined(self, grid):
        """Returns the kernel as a matrix, from all its blocks."""
        matrix = tf.reshape(
            tf.transpose(grid, (0, 2, 1, 3)),
            (self._down * self._rows, self._across * self._columns),
        )
        return matrix[: self._inputs, : self._outputs]

    def split(self, matrix):
        """Inverts `joined`: returns all blocks of a matrix, one by one."""
        padding = [
            [0, self._down * self._rows - self._inputs],
            [0, self._across * self._columns - self._outputs],
        ]
        grid = tf.reshape(
            tf.pad(matrix, padding),
            (self._down, self._rows, self._across, self._columns),
        )
        return tf.reshape(
            tf.transpose(grid, (0, 2, 1, 3)), (-1, self._rows, self._columns)
        )

    def sizes(self):
        """Connections in every block; those at the edges may have fewer."""
        tall = _lengths(self._inputs, self._rows, self._down)
        wide = _lengths(self._outputs, self._columns, self._across)
        return tall[:, None] * wide

    def _split_inputs(self, x):
        """Reshapes (examples, inputs) to (block rows, examples, height)."""
        return _split(x, self._down, self._rows)

    def _split_outputs(self, y):
        """Reshapes (examples, outputs) to (block columns, examples, width)."""
        return _split(y, self._across, self._columns)

    def _joined_inputs(self, parts):
        return _joined(parts, self._down, self._rows, self._inputs)

    def _joined_outputs(self, parts):
        return _joined(parts, self._across, self._columns, self._outputs)

    def _places(self, active):
        """Returns rows and columns of blocks; values of padding are 0."""
        active = tf.minimum(active, self._down * self._across - 1)
        return active // self._across, active % self._across


def _summed(parts, places, order, count):
    """Sums the parts of each of `count` places; `order` sorts the places."""
    if is_for_xla():  # XLA lacks `segment_sum`, which is faster
        return tf.math.unsorted_segment_sum(parts, places, count)
    size = tf.size(parts) // tf.size(places)
    sums = tf.sparse.segment_sum(
        tf.reshape(parts, (tf.size(places), size)),
        order,
        tf.gather(places, order),
        num_segments=count,
    )
    return tf.reshape(sums, (count, tf.shape(parts)[1], parts.shape[2]))


def _lengths(total, length, count):
    starts = tf.range(count) * length
    return tf.minimum(total - starts, length)


def _split(x, count, length):
    """Reshapes (examples, units) to (blocks, examples, units of a block)."""
    padded = tf.pad(x, [[0, 0], [0, count * length - x.shape[1]]])
    parts = tf.reshape(padded, (tf.shape(x)[0], count, length))
    return tf.transpose(parts, (1, 0, 2))


def _joined(parts, count, length, units):
    """Inverts `_split`."""
    together = tf.transpose(parts, (1, 0, 2))
    whole = tf.reshape(together, (-1, count * length))
    return whole[:, :units]
