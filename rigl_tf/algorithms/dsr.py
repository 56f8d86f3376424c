"""DSR: dynamic sparse reparameterization."""

import dataclasses
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
from rigl_tf.typing import Number
from rigl_tf.utils.validation import check_count
from rigl_tf.utils.validation import check_number


@dataclasses.dataclass(frozen=True)
class DSR(Algorithm):
    """Drops below a global adaptive threshold; grows at random.

    The threshold is doubled after an update that drops less than 90 % of the
    wanted number of connections, and halved after an update that drops more
    than 110 %. Layers grow in proportion to their connections after the drop,
    at random positions. Connections dropped in the same update can grow.

    Args:
        threshold: Float > 0, initial threshold of |weight|.
        num_wanted: Integer, connections to drop in an update, or `None` for
            the drop fraction times all active connections.

    Reference:
        [Mostafa & Wang, 2019](https://arxiv.org/abs/1902.05967), Algorithm 1.

    Example:

    >>> sparse = rigl_tf.sparsify(
    ...     network, rigl_tf.algorithms.DSR(num_wanted=4), sparsity=0.5)
    """

    threshold: float = 1e-3
    num_wanted: int | None = None

    def __post_init__(self) -> None:
        check_number("threshold", self.threshold, "(0, inf)")
        check_count("num_wanted", self.num_wanted, optional=True)

    def initial_state(self) -> dict[str, float]:
        return {"threshold": self.threshold}

    def num_drop(
        self, views: Sequence[KernelView], request: Request
    ) -> list[tf.Tensor]:
        threshold = request.state["threshold"]
        return masks.count_each(
            view.mask & (tf.abs(tf.cast(view.weight, tf.float32)) < threshold)
            for view in views
        )

    def grow(self, tile: CandidateTile) -> tf.Tensor:
        return scores.random(tile)

    def redistribute(
        self,
        views: Sequence[KernelView],
        num_dropped: list[tf.Tensor],
        request: Request,
    ) -> list[tf.Tensor]:
        del request
        active = masks.count_each(view.mask for view in views)
        room = [view.size - a for view, a in zip(views, active, strict=True)]
        return redistribution.in_proportion(active, tf.add_n(num_dropped), room)

    def next_state(
        self,
        views: Sequence[KernelView],
        request: Request,
        num_dropped: list[tf.Tensor],
    ) -> dict[str, tf.Tensor]:
        dropped = tf.cast(tf.add_n(num_dropped), tf.float32)
        if self.num_wanted is None:
            active = masks.count_each(view.mask for view in views)
            before = dropped + tf.cast(tf.add_n(active), tf.float32)
            fraction = _mean_fraction(request.fractions, active, num_dropped)
            wanted = tf.cast(fraction, tf.float32) * before
        else:
            wanted = float(self.num_wanted)
        threshold = request.state["threshold"]
        factor = tf.where(
            dropped < 0.9 * wanted,
            2.0,
            tf.where(dropped > 1.1 * wanted, 0.5, 1.0),
        )
        return {"threshold": threshold * factor}


def _mean_fraction(
    fractions: Sequence[Number],
    active: list[tf.Tensor],
    num_dropped: list[tf.Tensor],
) -> tf.Tensor:
    """Returns the mean drop fraction, weighted by connections of layers."""
    before = tf.stack(
        [
            tf.cast(kept + dropped, tf.float64)
            for kept, dropped in zip(active, num_dropped, strict=True)
        ]
    )
    fractions = tf.stack([schedules.as_float64(each) for each in fractions])
    return tf.reduce_sum(fractions * before) / tf.reduce_sum(before)
