"""Static sparse training."""

import dataclasses

import tensorflow as tf

from rigl_tf.algorithms import scores
from rigl_tf.algorithms.base import Algorithm
from rigl_tf.algorithms.kernel_view import CandidateTile


@dataclasses.dataclass(frozen=True)
class Static(Algorithm):
    """Keeps the initial connections during training.

    Example:

    >>> sparse = rigl_tf.sparsify(
    ...     network, rigl_tf.algorithms.Static(), sparsity=0.5)
    """

    updates_masks = False

    def grow(self, tile: CandidateTile) -> tf.Tensor:
        return scores.magnitude(tile)
