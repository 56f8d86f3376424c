"""Convolutions as products with what each tap reads, in plain TensorFlow.

What the taps read takes the memory of that many inputs.
"""

import tensorflow as tf

from rigl_tf.kernels.ops import block_matmul
from rigl_tf.kernels.ops import csr_matmul
from rigl_tf.kernels.ops.convolution import Convolution


class AsMatmul:
    """Makes the `Product` of a matrix that of a convolution's kernel.

    Give it before the class of the product.

    Args:
        convolution: `Convolution` with one group.
        *block: Rows and columns of a block, if units are blocks.
    """

    def __init__(self, convolution: Convolution, *block: int):
        rows = convolution.taps * convolution.rows
        super().__init__(rows, convolution.outputs, *block)
        self._convolution = convolution

    def forward(self, x, values, active):
        """Computes the convolution.

        Args:
            x: Float tensor of shape (examples, ..., input channels).
            values: Float tensor, an entry for each unit.
            active: int32 tensor, sorted numbers of units, padding at the end.

        Returns:
            Float tensor of shape (examples, ..., output channels).
        """
        seen = self._seen(x)
        y = super().forward(self._flat(seen), values, active)
        return tf.reshape(y, tf.concat([tf.shape(seen)[:-1], [-1]], axis=0))

    def backward(self, x, values, active, dy):
        """Computes the gradients with respect to `x` and `values`."""
        with tf.GradientTape() as tape:
            tape.watch(x)
            seen = self._seen(x)
        dseen, dvalues = super().backward(
            self._flat(seen), values, active, self._flat(dy)
        )
        dseen = tf.reshape(dseen, tf.shape(seen))
        return tape.gradient(seen, x, output_gradients=dseen), dvalues

    def _seen(self, x):
        """Returns what the taps read, side by side, for each position."""
        taps = range(self._convolution.taps)
        return tf.concat(
            [self._convolution.shifted(x, tap) for tap in taps], axis=-1
        )

    def _flat(self, x):
        """Returns a matrix with a row for each position of each example."""
        return tf.reshape(x, (-1, x.shape[-1]))


class ConnectionProduct(AsMatmul, csr_matmul.Product):
    """Convolves with a kernel that stores connections."""


class BlocksAsMatmul(AsMatmul):
    """The same for a product with stored blocks."""

    def mean_gradients(self, flows):
        """Computes the mean |gradient| of every block, tap by tap.

        Args:
            flows: List of `Flow`, whose gradients add up.

        Returns:
            Float tensor of shape (blocks down, blocks across).
        """
        rows = self._convolution.rows
        of_taps = [
            tf.abs(tf.add_n([f.gradient(row, row + rows) for f in flows]))
            for row in range(0, self._inputs, rows)
        ]
        of_taps = [_sums(tap, 1, self._columns) for tap in of_taps]
        sums = _sums(tf.concat(of_taps, axis=0), self._rows, 1)
        return sums / tf.cast(self.sizes(), sums.dtype)


class BlockProduct(BlocksAsMatmul, block_matmul.Product):
    """Convolves with a kernel that stores blocks."""


def _sums(matrix, rows, columns):
    """Returns the sum of each block of a matrix."""
    down, across = (
        -(-size // side)
        for size, side in zip(matrix.shape, (rows, columns), strict=True)
    )
    padding = [
        [0, down * rows - matrix.shape[0]],
        [0, across * columns - matrix.shape[1]],
    ]
    grid = tf.reshape(tf.pad(matrix, padding), (down, rows, across, columns))
    return tf.reduce_sum(grid, axis=(1, 3))
