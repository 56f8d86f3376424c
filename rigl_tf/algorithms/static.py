"""Static sparse training."""

import dataclasses

from rigl_tf.algorithms import scores
from rigl_tf.algorithms.base import Algorithm


@dataclasses.dataclass(frozen=True)
class Static(Algorithm):
    """Keeps the initial connections during training."""

    updates_masks = False

    def grow(self, tile):
        return scores.magnitude(tile)
