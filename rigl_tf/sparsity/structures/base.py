"""The base class of sparsity structures."""

import abc
import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import tensorflow as tf

from rigl_tf.sparsity import masks
from rigl_tf.sparsity.kernel_layout import Layout
from rigl_tf.typing import GrowScores
from rigl_tf.typing import Integer
from rigl_tf.typing import Seed
from rigl_tf.typing import Shape
from rigl_tf.utils.serialization import Config


class Kernel(Protocol):
    """A kernel of a sparse model, such as `SparseKernel`."""

    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def layout(self) -> Layout: ...


class Structure(Config, abc.ABC):
    """Divides kernels into units and constrains which units are active."""

    is_unstructured = False  # whether every unit is a single connection
    refill_to_budget = False  # whether an update grows up to the budget

    @abc.abstractmethod
    def shape(self, layout: Layout) -> Shape:
        """Returns the shape of the units of a kernel with a `Layout`."""

    @abc.abstractmethod
    def pool(self, values: tf.Tensor, layout: Layout) -> tf.Tensor:
        """Returns the mean of each unit of a tensor of kernel shape."""

    @abc.abstractmethod
    def expand(self, units: tf.Tensor, layout: Layout) -> tf.Tensor:
        """Expands one value per unit to a tensor of kernel shape."""

    def sizes(self, layout: Layout) -> int | np.ndarray:
        """Returns the size of units: an integer, or an array per unit."""
        return math.prod(layout.kernel_shape) // math.prod(self.shape(layout))

    def unequal_sizes(
        self, kernels: Sequence[Kernel]
    ) -> list[int | np.ndarray] | None:
        """Returns the `sizes` of each kernel, or `None` if all are equal."""
        sizes = [self.sizes(kernel.layout) for kernel in kernels]
        if len({size for each in sizes for size in np.unique(each)}) == 1:
            return None
        return sizes

    def connections_in(
        self, kernels: Sequence[Kernel], budgets: Sequence[Integer]
    ) -> tf.Tensor:
        """Returns the number of connections that budgets of units amount to.

        Args:
            kernels: List of `SparseKernel`.
            budgets: List of integers or int64 scalars, units of each kernel.
                Each unit counts with the mean size of its kernel's units.

        Returns:
            int64 scalar.
        """
        asked = [
            tf.cast(budget, tf.float64)
            * (kernel.size / math.prod(self.shape(kernel.layout)))
            for kernel, budget in zip(kernels, budgets, strict=True)
        ]
        # 1e-6 is for sums that a rounding error puts below a whole number.
        return tf.cast(tf.floor(tf.add_n(asked) + 1e-6), tf.int64)

    def budgets(
        self, kernels: Sequence[Kernel], budgets: Sequence[int]
    ) -> Sequence[int]:
        """Returns feasible budgets of active units near the given budgets.

        Args:
            kernels: List of `SparseKernel`.
            budgets: List of integers, units of each kernel.

        Returns:
            List of integers.

        Raises:
            ValueError: If a kernel cannot have a budget near the given one.
        """
        del kernels
        return budgets

    def random(self, layout: Layout, num_active: int, seed: Seed) -> tf.Tensor:
        """Returns a random mask of units.

        Args:
            layout: `Layout`.
            num_active: Integer, the kernel's number from `budgets`.
            seed: Integer, or pair of integers.

        Returns:
            Boolean tensor of the units' shape.
        """
        return masks.random_mask(self.shape(layout), num_active, seed)

    def is_valid(self, units: tf.Tensor, layout: Layout) -> bool:
        """Returns whether a mask of units is one that the structure makes."""
        del units, layout
        return True

    def protect(
        self, scores: tf.Tensor, mask: tf.Tensor, layout: Layout
    ) -> tf.Tensor:
        """Sets the scores of units that must not be dropped to `inf`.

        Args:
            scores: Tensor of the units' shape.
            mask: Boolean tensor, the active units.
            layout: `Layout`.

        Returns:
            Tensor of the units' shape, `inf` where a unit must be kept.
        """
        del mask, layout
        return scores

    def grow(
        self,
        before: tf.Tensor,
        mask: tf.Tensor,
        scores: GrowScores,
        num_grow: Integer,
        layout: Layout,
    ) -> tf.Tensor:
        """Adds `num_grow` units to a mask.

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
