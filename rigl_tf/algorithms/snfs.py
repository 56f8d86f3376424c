"""SNFS: sparse networks from scratch."""

import dataclasses

from rigl_tf.algorithms import redistribution
from rigl_tf.algorithms import scores
from rigl_tf.algorithms.base import Algorithm


@dataclasses.dataclass(frozen=True)
class SNFS(Algorithm):
    """Grows and shares by a running mean of the dense gradient.

    The mean is kept for every connection, active or not, and takes in every
    batch; it is not the optimizer's momentum. Layers share in
    proportion to its mean magnitude over the connections that survive the
    drop. The update follows the optimizer step.

    Args:
        decay: Float in [0, 1), how much of the running mean stays at a step.
            It starts from zero, without bias correction.

    Reference:
        [Dettmers & Zettlemoyer, 2019](https://arxiv.org/abs/1907.04840),
        section 3.
    """

    decay: float = 0.9

    tracks_gradient = True

    def __post_init__(self):
        if not 0.0 <= self.decay < 1.0:
            raise ValueError(
                f"`decay` must be in [0, 1). Received: decay={self.decay!r}."
            )

    def track(self, view):
        return self.decay * view.momentum + (1 - self.decay) * view.gradient

    def grow(self, tile):
        return scores.momentum(tile)

    def redistribute(self, views, num_dropped, request):
        del request
        return redistribution.by_mean_over_active(
            views, num_dropped, "momentum"
        )
