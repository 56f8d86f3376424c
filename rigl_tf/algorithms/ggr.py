"""GGR: global gradient-based redistribution, and its ablations."""

import dataclasses
from collections.abc import Callable
from collections.abc import Sequence

import tensorflow as tf

from rigl_tf.algorithms import redistribution
from rigl_tf.algorithms import scores
from rigl_tf.algorithms.base import Algorithm
from rigl_tf.algorithms.base import Request
from rigl_tf.algorithms.kernel_view import CandidateTile
from rigl_tf.algorithms.kernel_view import KernelView
from rigl_tf.sparsity import masks
from rigl_tf.sparsity import schedules


@dataclasses.dataclass(frozen=True)
class GGR(Algorithm):
    """Shares connections among layers by the globally largest gradients.

    Let all layers together drop k connections. The number that a layer grows
    is its number of connections among the k largest |gradient| of all inactive
    connections, connections dropped in this update included. A layer grows one
    half (rounded up) by |gradient|, and the other half at random among the
    remaining connections. The k largest are counted layer by layer, without
    sorting or joining layers. If fewer than k gradients are nonzero, layers
    share the rest in proportion to their dropped connections. By default,
    masks are updated at the start of every epoch except the first, in the first
    half of training, and the drop fraction decreases from 0.1.

    Reference:
        [Parger et al., 2022](https://arxiv.org/abs/2210.14012), section 3.

    Example:

    >>> sparse = rigl_tf.sparsify(
    ...     network, rigl_tf.algorithms.GGR(), sparsity=0.5)
    >>> sparse.schedule.interval is None  # an epoch
    True
    """

    needs_gradient = True
    default_schedule = schedules.UpdateSchedule(None, end_fraction=0.5)
    default_drop_fraction = schedules.Cosine(0.1)

    def grow(
        self, tile: CandidateTile
    ) -> tf.Tensor | list[Callable[[], tf.Tensor]]:
        return _half_and_half(tile)

    def redistribute(
        self,
        views: Sequence[KernelView],
        num_dropped: list[tf.Tensor],
        request: Request,
    ) -> list[tf.Tensor]:
        del request
        layers = [
            lambda tile, i=i: _candidates(views[i].candidates(tile))
            for i in range(len(views))
        ]
        num_tiles = [view.num_tiles for view in views]
        total = tf.cast(tf.add_n(num_dropped), tf.int64)
        counts = masks.count_in_top_k(layers, total, num_tiles)
        with tf.control_dependencies(counts):  # to save memory
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
    """GGR that grows only at random (table 3)."""

    def grow(self, tile: CandidateTile) -> tf.Tensor:
        return scores.random(tile)


@dataclasses.dataclass(frozen=True)
class GGRRigL(GGR):
    """GGR that grows only by gradient (table 3)."""

    def grow(self, tile: CandidateTile) -> tf.Tensor:
        return scores.gradient(tile)


@dataclasses.dataclass(frozen=True)
class SETRigL(Algorithm):
    """Grows half by gradient and half at random, without redistribution.

    Reference:
        [Parger et al., 2022](https://arxiv.org/abs/2210.14012), table 3.
    """

    needs_gradient = True
    default_schedule = GGR.default_schedule
    default_drop_fraction = GGR.default_drop_fraction

    def grow(self, tile: CandidateTile) -> list[Callable[[], tf.Tensor]]:
        return _half_and_half(tile)


def _half_and_half(tile: CandidateTile) -> list[Callable[[], tf.Tensor]]:
    return [lambda: scores.gradient(tile), lambda: scores.random(tile)]


def _candidates(tile: CandidateTile) -> tuple[tf.Tensor, tf.Tensor]:
    magnitude = scores.gradient(tile)
    return magnitude, tf.logical_and(tf.logical_not(tile.mask), magnitude > 0)
