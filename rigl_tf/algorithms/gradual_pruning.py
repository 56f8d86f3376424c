"""Gradual magnitude pruning."""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from rigl_tf.algorithms import scores
from rigl_tf.algorithms.base import Algorithm
from rigl_tf.algorithms.base import Request
from rigl_tf.algorithms.kernel_view import CandidateTile
from rigl_tf.algorithms.kernel_view import KernelView
from rigl_tf.sparsity import masks


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

    def num_drop(
        self, views: Sequence[KernelView], request: Request
    ) -> list[tf.Tensor]:
        budgets = request.budgets
        active = masks.count_each(view.mask for view in views)
        if self.scope == "global":
            layers = [
                lambda tile, i=i: _scores_and_candidates(views[i])
                for i in range(len(views))
            ]
            budgets = masks.count_in_top_k(layers, tf.add_n(budgets))
        return [
            tf.maximum(a - tf.cast(b, tf.int64), 0)
            for a, b in zip(active, budgets, strict=True)
        ]

    def redistribute(
        self,
        views: Sequence[KernelView],
        num_dropped: list[tf.Tensor],
        request: Request,
    ) -> list[int]:
        del views, request
        return [0] * len(num_dropped)


def _scores_and_candidates(view: KernelView) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns |weight|, with the largest weight of the layer set to `inf`."""
    strongest = masks.top_k_mask(_magnitude(view), 1, candidates=view.mask)
    # Recomputed, because the first tensor would stay in memory.
    with tf.control_dependencies([strongest]):
        return tf.where(strongest, float("inf"), _magnitude(view)), view.mask


def _magnitude(view: KernelView) -> tf.Tensor:
    return tf.abs(tf.cast(view.weight, tf.float32))
