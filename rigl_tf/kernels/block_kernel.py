"""Kernels that store only their active blocks, or whole k x k kernels."""

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
    """A kernel whose `variable` has all connections of each stored unit.

    Units are blocks, or whole k x k kernels. An update holds one number for
    each unit, active or not, at once: its mean gradient, for example.

    Attributes:
        structure: `structures.Blocks` or `structures.Kernels2D`.
    """

    structure: structures.Structure

    @property
    def beats_xla(self):
        return self.layer.product.beats_xla

    @property
    def mask(self):
        return self.structure.expand(self._units(), self.layout)

    def count(self):
        sizes = tf.cast(self.layer.product.sizes(), tf.int64)
        return tf.reduce_sum(masked(sizes, self._units()))

    def bits(self):
        return np.packbits(as_array(self.mask))

    def weights(self):
        grid = self._on_grid(tf.convert_to_tensor(self.variable))
        matrix = self.layer.product.joined(grid)
        return tf.reshape(matrix, self.kernel_shape)

    def set_mask(self, mask):
        units = self.structure.pool(tf.cast(mask, tf.float32), self.layout) > 0
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
        shape = self.structure.shape(self.layout)
        return KernelView(
            weight=self._means(self.variable),
            mask=units,
            gradient=gradient,
            momentum=momentum,
            random_numbers=RandomNumbers(shape, inputs.seed),
        )

    def _view_of_connections(self, inputs):
        """Shows the connections in the stored units, as between updates."""
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
            random_numbers=_NumbersInUnits(self, active, inputs.seed),
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
        """Returns the mask of units, on the grid of units."""
        return self._on_grid(tf.ones([self.capacity], tf.bool))

    def _means(self, values):
        """Returns the mean magnitude of every unit, on the grid."""
        sums = tf.abs(tf.convert_to_tensor(values))
        sums = tf.reduce_sum(sums, axis=range(1, sums.shape.rank))
        grid = self._on_grid(sums)
        return grid / tf.cast(self.layer.product.sizes(), grid.dtype)

    def _on_grid(self, values):
        shape = self.structure.shape(self.layout)
        active = tf.convert_to_tensor(self.active)
        flat = index_sets.on_grid(active, values, shape[0] * shape[1])
        return tf.reshape(flat, (*shape, *values.shape[1:]))

    def _positions(self, units):
        return index_sets.of_mask(tf.reshape(units, [-1]), self.capacity)


class _NumbersInUnits(RandomNumbers):
    """The random numbers of the connections in the units that are stored.

    They are drawn for the whole kernel, which takes the memory of a dense one,
    and only if an algorithm asks for them between updates.

    Args:
        kernel: `BlockKernel`.
        active: int32 tensor, the numbers of its units, padded.
        seed: Integer tensor of shape (2,).
    """

    def __init__(self, kernel, active, seed):
        layout = kernel.layout
        shape = (layout.kernel_positions * layout.inputs, layout.outputs)
        super().__init__(shape, seed)
        self._kernel = kernel
        self._active = active

    def sample(self, seed):
        numbers = self._kernel.layer.product.split(super().sample(seed))
        last = numbers.shape[0] - 1  # stands for padding
        return tf.gather(numbers, tf.minimum(self._active, last))
