"""Connections that move one by one, a fixed number in each group."""

import abc

import tensorflow as tf

from rigl_tf.sparsity import masks
from rigl_tf.sparsity import top_k
from rigl_tf.sparsity.structures.blocks import Connections

_SMALL = 16  # up to here, comparing all pairs is faster than sorting


class Groups(Connections, abc.ABC):
    """Groups of one size, each with a constant number of connections."""

    @abc.abstractmethod
    def grouped(self, values, layout):
        """A tensor of kernel shape as one whose last axis is a group."""

    @abc.abstractmethod
    def ungrouped(self, groups, layout):
        """The inverse of `grouped`."""

    def random(self, layout, num_active, seed):
        groups = self.grouped(
            masks.random_scores(layout.kernel_shape, seed), layout
        )
        num_groups = tf.size(groups) // groups.shape[-1]
        return self.ungrouped(places(groups) < num_active // num_groups, layout)

    def best(self, scores, candidates, count, layout):
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
        groups = self.grouped(tf.reshape(keys, layout.kernel_shape), layout)
        if not isinstance(count, int):
            count = count[..., None]
        first = self.ungrouped(places(groups) < count, layout)
        return tf.logical_and(first, candidates)

    def grow(self, before, mask, scores, num_grow, layout):
        if tf.get_static_value(num_grow) == 0:
            return mask
        return self.fill(mask, scores, self.count(before, layout), layout)

    def fill(self, mask, scores, wanted, layout):
        """Adds the highest-scoring others until every group is as wanted.

        Args:
            mask: Boolean tensor of kernel shape.
            scores: As for `masks.grow`.
            wanted: Integer tensor, one number for each group.
            layout: `Layout`.

        Returns:
            Boolean tensor of kernel shape.
        """
        functions = masks.score_functions(scores)
        for i, score in enumerate(functions):
            missing = wanted - self.count(mask, layout)
            part = masks.equal_part(missing, len(functions) - i)
            inactive = tf.logical_not(mask)
            grown = self.best(score(), inactive, part, layout)
            mask = tf.logical_or(mask, grown)
        return mask

    def count(self, mask, layout):
        """Active connections of each group, as an int32 tensor."""
        groups = self.grouped(mask, layout)
        return tf.reduce_sum(tf.cast(groups, tf.int32), axis=-1)


def places(values):
    """The place of each value on the last axis, the largest first.

    Of equals, those that come first are first.

    Args:
        values: Integer tensor, shape (..., n).

    Returns:
        int32 tensor of the same shape, from 0 to n - 1 along the last axis.
    """
    size = values.shape[-1]
    if size > _SMALL:
        order = tf.argsort(values, direction="DESCENDING", stable=True)
        return tf.argsort(order, stable=True)
    total = tf.zeros_like(values)
    for i in range(size):
        one = values[..., i : i + 1]
        ahead = tf.concat(
            [values[..., : i + 1] < one, values[..., i + 1 :] <= one], axis=-1
        )
        total += tf.cast(ahead, total.dtype)
    return total
