"""GGR: global gradient-based redistribution, and its ablations."""

import dataclasses

import tensorflow as tf

from rigl_tf.algorithms import redistribution
from rigl_tf.algorithms import scores
from rigl_tf.algorithms.base import Algorithm
from rigl_tf.sparsity import masks
from rigl_tf.sparsity import schedules


@dataclasses.dataclass(frozen=True)
class GGR(Algorithm):
    """Grows in each layer as many as it has of the largest gradients.

    All layers together drop k connections. A layer grows as many as it has
    among the k largest |gradient| of all inactive connections, those just
    dropped included: half of them by |gradient| (the odd one too), the other
    half at random among the rest. The k largest are counted layer by layer,
    never sorted and never held together. If fewer than k gradients are not
    zero, layers share what is left in proportion to what they dropped. By
    default, masks are updated at the beginning of every epoch but the first,
    in the first half of training, and the drop fraction falls from 0.1.

    Reference:
        [Parger et al., 2022](https://arxiv.org/abs/2210.14012), section 3.
    """

    needs_gradient = True
    default_schedule = schedules.UpdateSchedule(None, end_fraction=0.5)
    default_drop_fraction = schedules.Cosine(0.1)

    def grow(self, tile):
        return _half_and_half(tile)

    def redistribute(self, views, num_dropped, request):
        del request
        layers = [
            lambda tile, i=i: _candidates(views[i].candidates(tile))
            for i in range(len(views))
        ]
        num_tiles = [view.num_tiles for view in views]
        total = tf.cast(tf.add_n(num_dropped), tf.int64)
        counts = masks.count_in_top_k(layers, total, num_tiles)
        with tf.control_dependencies(counts):  # not at the same time
            active = masks.count_each(view.mask for view in views)
        room = [
            view.size - a - count
            for view, a, count in zip(views, active, counts, strict=True)
        ]
        others = redistribution.in_proportion(
            num_dropped, total - tf.add_n(counts), room
        )
        return [a + b for a, b in zip(counts, others, strict=True)]


@dataclasses.dataclass(frozen=True)
class GGRSET(GGR):
    """GGR that grows at random only (table 3)."""

    def grow(self, tile):
        return scores.random(tile)


@dataclasses.dataclass(frozen=True)
class GGRRigL(GGR):
    """GGR that grows by gradient only (table 3)."""

    def grow(self, tile):
        return scores.gradient(tile)


@dataclasses.dataclass(frozen=True)
class SETRigL(Algorithm):
    """Grows half by gradient and half at random, as many as a layer dropped.

    Reference:
        [Parger et al., 2022](https://arxiv.org/abs/2210.14012), table 3.
    """

    needs_gradient = True
    default_schedule = GGR.default_schedule
    default_drop_fraction = GGR.default_drop_fraction

    def grow(self, tile):
        return _half_and_half(tile)


def _half_and_half(tile):
    return [lambda: scores.gradient(tile), lambda: scores.random(tile)]


def _candidates(tile):
    size = scores.gradient(tile)
    return size, tf.logical_and(tf.logical_not(tile.mask), size > 0)
