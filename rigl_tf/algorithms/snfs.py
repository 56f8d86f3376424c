"""SNFS: sparse networks from scratch."""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from rigl_tf.algorithms import redistribution
from rigl_tf.algorithms import scores
from rigl_tf.algorithms.base import Algorithm
from rigl_tf.algorithms.base import Request
from rigl_tf.algorithms.kernel_view import CandidateTile
from rigl_tf.algorithms.kernel_view import KernelView


@dataclasses.dataclass(frozen=True)
class SNFS(Algorithm):
    """Grows and redistributes by a moving average of the dense gradient.

    The moving average covers every connection, active or not, and every batch;
    it is not the optimizer's momentum. Layers share connections in proportion
    to the mean magnitude of the moving average over their active connections
    after the drop. The update follows the optimizer step.

    Args:
        decay: Float in [0, 1), decay of the moving average in a step. The
            moving average starts from zero, without bias correction.

    Reference:
        [Dettmers & Zettlemoyer, 2019](https://arxiv.org/abs/1907.04840),
        section 3.

    Example:

    >>> sparse = rigl_tf.sparsify(
    ...     network, rigl_tf.algorithms.SNFS(decay=0.8), sparsity=0.5)
    """

    decay: float = 0.9

    tracks_gradient = True

    def __post_init__(self) -> None:
        if not 0.0 <= self.decay < 1.0:
            raise ValueError(
                f"`decay` must be in [0, 1). Received: decay={self.decay!r}."
            )

    def track(self, view: KernelView) -> tf.Tensor:
        return self.decay * view.momentum + (1 - self.decay) * view.gradient

    def grow(self, tile: CandidateTile) -> tf.Tensor:
        return scores.momentum(tile)

    def redistribute(
        self,
        views: Sequence[KernelView],
        num_dropped: list[tf.Tensor],
        request: Request,
    ) -> list[tf.Tensor]:
        del request
        return redistribution.by_mean_over_active(
            views, num_dropped, "momentum"
        )
