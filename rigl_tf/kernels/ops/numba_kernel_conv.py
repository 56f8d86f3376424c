"""Convolutions with a kernel that stores whole k x k kernels, by numba."""

import tensorflow as tf

from rigl_tf.kernels.ops import numba_conv
from rigl_tf.kernels.ops.convolution import Convolution


class Product(numba_conv.Product):
    """Convolves with the connections of the k x k kernels that are stored.

    Args:
        convolution: `Convolution` of one to three axes.
    """

    beats_xla = False

    def __init__(self, convolution: Convolution):
        super().__init__(convolution, (convolution.taps,))
        self._grid = (convolution.rows, convolution.outputs)

    def mean_gradients(self, flows):
        """Computes the mean |gradient| of every k x k kernel, tap by tap.

        Args:
            flows: List of `Flow`, whose gradients add up.

        Returns:
            Float tensor of shape (inputs, outputs).
        """
        rows, _ = self._grid
        taps = self._convolution.taps
        total = tf.zeros(self._grid)
        for row in range(0, taps * rows, rows):
            total += tf.abs(
                tf.add_n([flow.gradient(row, row + rows) for flow in flows])
            )
        return total / taps

    def inside(self, values, active):
        """Returns the values: no k x k kernel reaches beyond the edges."""
        del active
        return values

    def joined(self, grid):
        """Returns the kernel as a matrix, from all its k x k kernels."""
        return tf.reshape(
            tf.transpose(grid, (2, 0, 1)), (-1, self._convolution.outputs)
        )

    def split(self, matrix):
        """Inverts `joined`: returns all k x k kernels, one by one."""
        taps = self._convolution.taps
        return tf.transpose(tf.reshape(matrix, (taps, -1)))

    def sizes(self):
        """Connections in every k x k kernel."""
        return tf.fill(self._grid, self._convolution.taps)
