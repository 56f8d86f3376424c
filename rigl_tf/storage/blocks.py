"""Kernels of which only the active blocks are stored."""

import dataclasses

import numpy as np
import tensorflow as tf

from rigl_tf import granularity
from rigl_tf import masks
from rigl_tf.algorithms import LayerView
from rigl_tf.storage import positions
from rigl_tf.storage.stored import StoredKernel
from rigl_tf.tensors import as_array
from rigl_tf.tensors import masked


@dataclasses.dataclass(frozen=True, eq=False)
class BlockKernel(StoredKernel):
    """A kernel whose `variable` has a small matrix for each stored block.

    What is asked of every block of the kernel, active or not, such as its mean
    gradient, is held at once: one number for each block.

    Attributes:
        blocks: `granularity.Blocks`.
    """

    blocks: granularity.Blocks

    @property
    def beats_xla(self):
        return self.layer.product.beats_xla

    @property
    def mask(self):
        return self.blocks.spread(self._units(), self.layout)

    def count(self):
        sizes = tf.cast(self.layer.product.sizes(), tf.int64)
        return tf.reduce_sum(masked(sizes, self._units()))

    def bits(self):
        return np.packbits(as_array(self.mask))

    def weights(self):
        grid = self._on_grid(tf.convert_to_tensor(self.variable))
        matrix = self.layer.product.joined_blocks(grid)
        return tf.reshape(matrix, self.kernel_shape)

    def set_mask(self, mask):
        units = self.blocks.pool(tf.cast(mask, tf.float32), self.layout) > 0
        self._check_room(int(masks.count(units)))
        self._take(self._positions(units))

    def view(self, granularity, beside, seed):
        del granularity
        gradient = momentum = None
        if beside.flows:
            gradient = self.layer.product.mean_gradients(beside.flows)
        if beside.momentum is not None:
            momentum = self._means(beside.momentum)
        return LayerView(
            weight=self._means(self.variable),
            mask=self._units(),
            gradient=gradient,
            momentum=momentum,
            seed=seed,
        )

    def grow(self, view, scores, num_grow, granularity, beside, fresh, slots):
        units = masks.grow(view.mask, scores(view), num_grow)
        now = self._positions(units)
        drawn = fresh(
            tuple(self.variable.shape),
            lambda: self._gradient_at(now, beside.flows),
        )
        if drawn is not None:
            drawn = self.layer.product.inside(drawn, now)
        is_new = self._take(now, drawn, slots)
        sizes = tf.reshape(self.layer.product.sizes(), [-1])
        last = tf.size(sizes) - 1
        of_units = tf.gather(sizes, tf.minimum(now, last))
        return tf.reduce_sum(tf.cast(masked(of_units, is_new), tf.int64))

    def _units(self):
        """Which blocks are active, on the grid of blocks."""
        return self._on_grid(tf.ones([self.capacity], tf.bool))

    def _means(self, values):
        """The mean magnitude of every block, on the grid."""
        sums = tf.reduce_sum(tf.abs(tf.convert_to_tensor(values)), axis=(1, 2))
        grid = self._on_grid(sums)
        return grid / tf.cast(self.layer.product.sizes(), grid.dtype)

    def _on_grid(self, values):
        shape = self.blocks.shape(self.layout)
        active = tf.convert_to_tensor(self.active)
        flat = positions.on_grid(active, values, shape[0] * shape[1])
        return tf.reshape(flat, (*shape, *values.shape[1:]))

    def _positions(self, units):
        return positions.of_mask(tf.reshape(units, [-1]), self.capacity)
