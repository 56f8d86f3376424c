"""Gradual magnitude pruning."""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from rigl_tf.algorithms import redistribution
from rigl_tf.algorithms import scores
from rigl_tf.algorithms.base import Algorithm
from rigl_tf.algorithms.base import Request
from rigl_tf.algorithms.kernel_view import CandidateTile
from rigl_tf.algorithms.kernel_view import KernelView
from rigl_tf.typing import Integer


@dataclasses.dataclass(frozen=True)
class GradualPruning(Algorithm):
    """Drops the smallest weights to follow a sparsity schedule.

    No connection grows: a pruned connection stays pruned.

    Args:
        scope: `"layer"` prunes each layer to its budget; `"global"` ranks
            the weights of all layers together and always keeps the strongest
            weight of each layer.

    Reference:
        [Zhu & Gupta, 2017](https://arxiv.org/abs/1710.01878), section 3.

    Example:

    >>> sparse = rigl_tf.sparsify(
    ...     network, rigl_tf.algorithms.GradualPruning("global"),
    ...     sparsity=rigl_tf.schedules.PolynomialSparsity(0.9))
    """

    scope: str = "layer"

    follows_sparsity = True

    def __post_init__(self) -> None:
        if self.scope not in ("layer", "global"):
            raise ValueError(
                '`scope` must be "layer" or "global". '
                f"Received: scope={self.scope!r}."
            )

    @property
    def moves_between_layers(self) -> bool:
        return self.scope == "global"

    def grow(self, tile: CandidateTile) -> tf.Tensor:
        return scores.magnitude(tile)

    def allocate(
        self, views: Sequence[KernelView], request: Request
    ) -> Sequence[Integer]:
        if self.scope == "layer":
            return request.budgets
        total = tf.add_n(request.budgets)
        return redistribution.by_rank(views, total, self.drop)
