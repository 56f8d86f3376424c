"""SET: sparse evolutionary training."""

import dataclasses

import tensorflow as tf

from rigl_tf.algorithms import scores
from rigl_tf.algorithms.base import Algorithm
from rigl_tf.algorithms.kernel_view import CandidateTile


@dataclasses.dataclass(frozen=True)
class SET(Algorithm):
    """Grows connections at random, after the optimizer step.

    SET drops the smallest |weight|, as in the RigL papers; the original drops
    the smallest positive and the largest negative weights.

    Reference:
        [Mocanu et al., 2018](https://arxiv.org/abs/1707.04780), Algorithm 1.

    Example:

    >>> sparse = rigl_tf.sparsify(
    ...     network, rigl_tf.algorithms.SET(), sparsity=0.5, drop_fraction=0.2)
    """

    def grow(self, tile: CandidateTile) -> tf.Tensor:
        return scores.random(tile)
