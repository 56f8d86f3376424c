"""Products with a sparse kernel, in plain TensorFlow."""

import tensorflow as tf

from rigl_tf.kernels import index_sets

_TILE = 1 << 20  # entries of the dense gradient that are held at a time


class Product:
    """Multiplies by one kernel with TensorFlow's sparse matrices.

    The gradient with respect to the values is gathered from tiles of the dense
    gradient; TensorFlow's own needs a tensor of all connections times all
    examples.

    Args:
        inputs: Integer, rows of the kernel as a matrix.
        outputs: Integer, its columns.
    """

    def __init__(self, inputs, outputs):
        self._inputs = inputs
        self._outputs = outputs

    def forward(self, x, values, active):
        """`x @ kernel`; arguments as of `numba_csr_matmul.Product`."""
        y = _times(self._matrix(values, active), x, transpose_a=True)
        return tf.ensure_shape(y, (x.shape[0], self._outputs))

    def backward(self, x, values, active, dy):
        """The gradients with respect to `x` and `values`."""
        dx = _times(self._matrix(values, active), dy)
        rows = max(_TILE // self._outputs, 1)

        def of_tile(number):
            row = number * rows
            tile = tf.matmul(x[:, row : row + rows], dy, transpose_a=True)
            flat = tf.reshape(tile, [-1])
            return index_sets.taken(active, row * self._outputs, flat)

        num_tiles = -(-self._inputs // rows)
        found = index_sets.in_turn(num_tiles, of_tile, tf.float32)
        dvalues = tf.pad(found, [[0, tf.size(values) - tf.size(found)]])
        return (
            tf.ensure_shape(dx, x.shape),
            tf.ensure_shape(dvalues, values.shape),
        )

    def _matrix(self, values, active):
        count = index_sets.count(active)
        active = tf.cast(active[:count], tf.int64)
        indices = tf.stack(
            [active // self._outputs, active % self._outputs], axis=1
        )
        return tf.raw_ops.SparseTensorToCSRSparseMatrix(
            indices=indices,
            values=values[:count],
            dense_shape=[self._inputs, self._outputs],
        )


def _times(matrix, x, transpose_a=False):
    """`(matrix @ x^T)^T`, the matrix transposed on request."""
    return tf.raw_ops.SparseMatrixMatMul(
        a=matrix,
        b=x,
        transpose_a=transpose_a,
        transpose_b=True,
        transpose_output=True,
    )
