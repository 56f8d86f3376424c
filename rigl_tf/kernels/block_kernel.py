"""Kernels that store only their active blocks."""

import dataclasses

import numpy as np
import tensorflow as tf

from rigl_tf.algorithms import KernelView
from rigl_tf.algorithms import RandomNumbers
from rigl_tf.kernels import index_sets
from rigl_tf.kernels.stored_kernel import StoredKernel
from rigl_tf.sparsity import masks
from rigl_tf.sparsity import structures
from rigl_tf.utils.tensors import as_array
from rigl_tf.utils.tensors import masked


@dataclasses.dataclass(frozen=True, eq=False)
class BlockKernel(StoredKernel):
    """A kernel whose `variable` has a small matrix for each stored block.

    An update holds one number for each block of the kernel, active or not, at
    once: its mean gradient, for example.

    Attributes:
        blocks: `structures.Blocks`.
    """

    blocks: structures.Blocks

    @property
    def beats_xla(self):
        return self.layer.product.beats_xla

    @property
    def mask(self):
        return self.blocks.expand(self._units(), self.layout)

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

    def view(self, inputs):
        if inputs.structure.is_unstructured:
            return self._view_of_connections(inputs)
        gradient = momentum = None
        if inputs.flows:
            gradient = self.layer.product.mean_gradients(inputs.flows)
        if inputs.momentum is not None:
            momentum = self._means(inputs.momentum)
        units = self._units()
        shape = self.blocks.shape(self.layout)
        return KernelView(
            weight=self._means(self.variable),
            mask=units,
            gradient=gradient,
            momentum=momentum,
            random_numbers=RandomNumbers(shape, inputs.seed),
        )

    def _view_of_connections(self, inputs):
        """Shows the connections in the stored blocks, as between updates."""
        active = tf.convert_to_tensor(self.active)
        stored = index_sets.broadcastable(
            tf.not_equal(active, index_sets.NONE), self.variable.value
        )
        ones = tf.ones(self.variable.shape, tf.bool)
        return KernelView(
            weight=tf.convert_to_tensor(self.variable),
            mask=self.layer.product.inside(ones & stored, active),
            gradient=inputs.gradient,
            momentum=inputs.momentum,
            random_numbers=_NumbersInBlocks(self, active, inputs.seed),
            total=self.size,
        )

    def grow(self, view, scores, num_grow, inputs):
        tile = view.candidates()
        units = masks.grow(view.mask, scores(tile), num_grow)
        now = self._positions(units)
        weights = self.new_weights(
            inputs,
            tuple(self.variable.shape),
            lambda: self._gradient_at(now, inputs.flows),
        )
        if weights is not None:
            weights = self.layer.product.inside(weights, now)
        is_new = self._take(now, weights, inputs.slots)
        sizes = tf.reshape(self.layer.product.sizes(), [-1])
        last = tf.size(sizes) - 1
        of_units = tf.gather(sizes, tf.minimum(now, last))
        return tf.reduce_sum(tf.cast(masked(of_units, is_new), tf.int64))

    def _units(self):
        """Returns the mask of blocks, on the grid of blocks."""
        return self._on_grid(tf.ones([self.capacity], tf.bool))

    def _means(self, values):
        """Returns the mean magnitude of every block, on the grid."""
        sums = tf.reduce_sum(tf.abs(tf.convert_to_tensor(values)), axis=(1, 2))
        grid = self._on_grid(sums)
        return grid / tf.cast(self.layer.product.sizes(), grid.dtype)

    def split(self, matrix, active):
        """Returns the parts of a matrix of kernel size that are in blocks."""
        rows, columns = self.blocks.rows, self.blocks.columns
        down, across = self.blocks.shape(self.layout)
        height, width = matrix.shape
        padding = [[0, down * rows - height], [0, across * columns - width]]
        grid = tf.reshape(
            tf.pad(matrix, padding), (down, rows, across, columns)
        )
        blocks = tf.reshape(
            tf.transpose(grid, (0, 2, 1, 3)), (down * across, rows, columns)
        )
        return tf.gather(blocks, tf.minimum(active, down * across - 1))

    def _on_grid(self, values):
        shape = self.blocks.shape(self.layout)
        active = tf.convert_to_tensor(self.active)
        flat = index_sets.on_grid(active, values, shape[0] * shape[1])
        return tf.reshape(flat, (*shape, *values.shape[1:]))

    def _positions(self, units):
        return index_sets.of_mask(tf.reshape(units, [-1]), self.capacity)


class _NumbersInBlocks(RandomNumbers):
    """The random numbers of the connections in the blocks that are stored.

    They are drawn for the whole kernel, which takes the memory of a dense one,
    and only if an algorithm asks for them between updates.

    Args:
        kernel: `BlockKernel`.
        active: int32 tensor, the numbers of its blocks, padded.
        seed: Integer tensor of shape (2,).
    """

    def __init__(self, kernel, active, seed):
        layout = kernel.layout
        shape = (layout.kernel_positions * layout.inputs, layout.outputs)
        super().__init__(shape, seed)
        self._kernel = kernel
        self._active = active

    def sample(self, seed):
        numbers = super().sample(seed)
        return self._kernel.split(numbers, self._active)
