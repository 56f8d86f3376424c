"""Structures with a fixed number of active connections in each group."""

import abc
from typing import Any

import tensorflow as tf

from rigl_tf.sparsity import masks
from rigl_tf.sparsity import random_bits
from rigl_tf.sparsity import top_k
from rigl_tf.sparsity.kernel_layout import Layout
from rigl_tf.sparsity.structures.blocks import Unstructured
from rigl_tf.typing import GrowScores
from rigl_tf.typing import Integer
from rigl_tf.typing import Seed
from rigl_tf.typing import TensorLike

_SMALL = 16  # up to here, comparing all pairs is faster than sorting


class GroupedSparsity(Unstructured, abc.ABC):
    """Groups of equal size, each with a constant number of connections."""

    @abc.abstractmethod
    def to_groups(self, values: tf.Tensor, layout: Layout) -> tf.Tensor:
        """Reshapes a tensor of kernel shape; its last axis is then a group."""

    @abc.abstractmethod
    def from_groups(self, groups: tf.Tensor, layout: Layout) -> tf.Tensor:
        """Inverts `to_groups`."""

    def random(self, layout: Layout, num_active: int, seed: Seed) -> tf.Tensor:
        groups = self.to_groups(
            random_bits.draw(layout.kernel_shape, seed), layout
        )
        num_groups = tf.size(groups) // groups.shape[-1]
        return self.from_groups(
            ranks(groups) < num_active // num_groups, layout
        )

    def top_k_in_groups(
        self,
        scores: TensorLike,
        candidates: tf.Tensor,
        count: Integer,
        layout: Layout,
    ) -> tf.Tensor:
        """Marks the candidates with the highest scores in each group.

        Args:
            scores: Tensor of kernel shape.
            candidates: Boolean tensor of kernel shape.
            count: Integer, or integer tensor, one number for each group.
            layout: `Layout`.

        Returns:
            Boolean tensor of kernel shape.
        """
        keys = top_k.keys_of(scores, candidates)
        groups = self.to_groups(tf.reshape(keys, layout.kernel_shape), layout)
        if not isinstance(count, int):
            count = tf.expand_dims(count, -1)
        first = self.from_groups(ranks(groups) < count, layout)
        return tf.logical_and(first, candidates)

    def grow(
        self,
        before: tf.Tensor,
        mask: tf.Tensor,
        scores: GrowScores,
        num_grow: Integer,
        layout: Layout,
    ) -> tf.Tensor:
        if tf.get_static_value(num_grow) == 0:
            return mask
        return self.fill(mask, scores, self.count(before, layout), layout)

    def fill(
        self,
        mask: tf.Tensor,
        scores: GrowScores,
        target: tf.Tensor,
        layout: Layout,
    ) -> tf.Tensor:
        """Grows the highest-scoring connections up to the target of each group.

        Args:
            mask: Boolean tensor of kernel shape.
            scores: As for `masks.grow`.
            target: Integer tensor, active connections of each group.
            layout: `Layout`.

        Returns:
            Boolean tensor of kernel shape.
        """
        functions = masks.score_functions(scores)
        for i, score in enumerate(functions):
            missing = target - self.count(mask, layout)
            part = masks.equal_part(missing, len(functions) - i)
            inactive = tf.logical_not(mask)
            grown = self.top_k_in_groups(score(), inactive, part, layout)
            mask = tf.logical_or(mask, grown)
        return mask

    def count(self, mask: tf.Tensor, layout: Layout) -> tf.Tensor:
        """Counts the active connections of each group, as an int32 tensor."""
        groups = self.to_groups(mask, layout)
        return tf.reduce_sum(tf.cast(groups, tf.int32), axis=-1)


def ranks(values: tf.Tensor) -> tf.Tensor:
    """Returns the rank of each value on the last axis, the largest first.

    Among equal values, the earlier value has the lower rank.

    Args:
        values: Integer tensor, shape (..., n).

    Returns:
        int32 tensor of the same shape, from 0 to n - 1 along the last axis.
    """
    size = values.shape[-1]
    if size is None or size > _SMALL:
        order = tf.argsort(values, direction="DESCENDING", stable=True)
        return tf.argsort(order, stable=True)
    columns: Any = values  # TensorFlow's stubs have no `...`
    total = tf.zeros_like(values)
    for i in range(size):
        one = columns[..., i : i + 1]
        ahead = tf.concat(
            [columns[..., : i + 1] < one, columns[..., i + 1 :] <= one], axis=-1
        )
        total += tf.cast(ahead, total.dtype)
    return total
