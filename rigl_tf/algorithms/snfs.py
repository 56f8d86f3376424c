"""SNFS: sparse networks from scratch."""

import dataclasses

from rigl_tf.algorithms import redistribution
from rigl_tf.algorithms import scores
from rigl_tf.algorithms.base import Algorithm


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
