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
from rigl_tf.sparsity import schedules
from rigl_tf.typing import Integer
from rigl_tf.typing import SparsitySchedule
from rigl_tf.utils.validation import check_number


@dataclasses.dataclass(frozen=True)
class GradualPruning(Algorithm):
    """Drops the smallest weights to follow a sparsity schedule.

    No connection grows: a pruned connection stays pruned.

    Args:
        scope: `"layer"` prunes each layer to its budget; `"global"` ranks
            the weights of all layers together and always keeps the strongest
            weight of each layer.
        initial_sparsity: Float in [0, 1), of the first update, or the final
            sparsity if that is lower. Until then, no weight is pruned.

    Reference:
        [Zhu & Gupta, 2017](https://arxiv.org/abs/1710.01878), section 3.

    Example:

    >>> sparse = rigl_tf.sparsify(
    ...     network, rigl_tf.algorithms.GradualPruning("global"),
    ...     sparsity=rigl_tf.schedules.PolynomialSparsity(0.9))
    """

    scope: str = "layer"
    initial_sparsity: float = 0.0

    follows_sparsity = True

    def __post_init__(self) -> None:
        check_number("initial_sparsity", self.initial_sparsity, "[0, 1)")
        if self.scope not in ("layer", "global"):
            raise ValueError(
                '`scope` must be "layer" or "global". '
                f"Received: scope={self.scope!r}."
            )

    @property
    def moves_between_layers(self) -> bool:
        return self.scope == "global"

    def sparsity_schedule(self, final: float) -> SparsitySchedule:
        initial = min(self.initial_sparsity, final)
        return schedules.PolynomialSparsity(final, initial)

    def grow(self, tile: CandidateTile) -> tf.Tensor:
        return scores.magnitude(tile)

    def allocate(
        self, views: Sequence[KernelView], request: Request
    ) -> Sequence[Integer]:
        if self.scope == "layer":
            return request.budgets
        total = tf.add_n(request.budgets)
        return redistribution.by_rank(views, total, self.drop)
