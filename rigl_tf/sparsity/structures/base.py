"""The base class of granularities."""

import abc
import math

import numpy as np
import tensorflow as tf

from rigl_tf.sparsity import masks
from rigl_tf.utils.serialization import Config


class Granularity(Config, abc.ABC):
    """A division of kernels into units, and which of them may be active."""

    single = False  # whether units are connections, so that nothing is pooled
    refills = False  # whether an update grows up to the budget

    @abc.abstractmethod
    def shape(self, layout):
        """Tuple of integers, the units of a kernel with a `Layout`."""

    @abc.abstractmethod
    def pool(self, values, layout):
        """The mean of each unit, from a tensor of kernel shape."""

    @abc.abstractmethod
    def spread(self, units, layout):
        """A value for each unit, given to all its connections."""

    def sizes(self, layout):
        """Connections in a unit, or an array of them, of the units' shape."""
        return math.prod(layout.kernel_shape) // math.prod(self.shape(layout))

    def unequal_sizes(self, kernels):
        """The `sizes` of each kernel in a list; `None` if all are equal."""
        sizes = [self.sizes(kernel.layout) for kernel in kernels]
        if len({size for each in sizes for size in np.unique(each)}) == 1:
            return None
        return sizes

    def connections_in(self, kernels, budgets):
        """How many connections budgets of units stand for.

        Args:
            kernels: List of `SparseKernel`.
            budgets: List of integers or int64 scalars, units of each kernel.
                Each unit counts as the mean of its kernel.

        Returns:
            int64 scalar.
        """
        asked = [
            tf.cast(budget, tf.float64)
            * (kernel.size / math.prod(self.shape(kernel.layout)))
            for kernel, budget in zip(kernels, budgets, strict=True)
        ]
        # The nudge is for a sum a rounding error below a whole number.
        return tf.cast(tf.floor(tf.add_n(asked) + 1e-6), tf.int64)

    def budgets(self, kernels, budgets):
        """Active units of each kernel, near those asked for.

        Args:
            kernels: List of `SparseKernel`.
            budgets: List of integers.

        Returns:
            List of integers.

        Raises:
            ValueError: If a kernel cannot have as many.
        """
        del kernels
        return budgets

    def random(self, layout, num_active, seed):
        """A first mask, of units.

        Args:
            layout: `Layout`.
            num_active: Integer, of `budgets`.
            seed: Integer, or pair of integers.

        Returns:
            Boolean tensor of the units' shape.
        """
        return masks.random_mask(self.shape(layout), num_active, seed)

    def protected(self, scores, mask, layout):
        """Raises the scores of units that must stay.

        Args:
            scores: Tensor of the units' shape.
            mask: Boolean tensor, the active units.
            layout: `Layout`.

        Returns:
            Tensor of the units' shape, `inf` where a unit has to stay.
        """
        del mask, layout
        return scores

    def grow(self, before, mask, scores, num_grow, layout):
        """Adds the units that grow to a mask.

        Args:
            before: Boolean tensor, the active units before the drop; used if
                units are connections.
            mask: Boolean tensor, the active units after the drop.
            scores: As for `masks.grow`.
            num_grow: int64 scalar tensor.
            layout: `Layout`.

        Returns:
            Boolean tensor.
        """
        del before, layout
        return masks.grow(mask, scores, num_grow)
