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
from rigl_tf.sparsity import masks
from rigl_tf.typing import Integer


@dataclasses.dataclass(frozen=True)
class GradualPruning(Algorithm):
    """Drops the smallest weights to follow a sparsity schedule.

    No connection grows: a pruned connection stays pruned.

    Args:
        scope: `"layer"` prunes each layer to its budget; `"global"` ranks
            the weights of all layers together and always keeps the strongest
            weight of each layer.
        keep_ties: Boolean, whether a layer keeps all weights that are as large
            as the smallest weight in its budget, as tfmot does. Only for the
            scope `"layer"`.

    Reference:
        [Zhu & Gupta, 2017](https://arxiv.org/abs/1710.01878), section 3.

    Example:

    >>> sparse = rigl_tf.sparsify(
    ...     network, rigl_tf.algorithms.GradualPruning("global"),
    ...     sparsity=rigl_tf.schedules.PolynomialSparsity(0.9))
    """

    scope: str = "layer"
    keep_ties: bool = dataclasses.field(default=False, repr=False)

    follows_sparsity = True

    def __post_init__(self) -> None:
        if self.scope not in ("layer", "global"):
            raise ValueError(
                '`scope` must be "layer" or "global". '
                f"Received: scope={self.scope!r}."
            )
        if self.keep_ties and self.scope != "layer":
            raise ValueError(
                '`keep_ties` needs the scope "layer". '
                f"Received: keep_ties={self.keep_ties}, scope={self.scope!r}."
            )

    @property
    def moves_between_layers(self) -> bool:
        return self.scope == "global"

    def grow(self, tile: CandidateTile) -> tf.Tensor:
        return scores.magnitude(tile)

    def allocate(
        self, views: Sequence[KernelView], request: Request
    ) -> Sequence[Integer]:
        if self.keep_ties:
            return [
                _count_with_ties(view, budget)
                for view, budget in zip(views, request.budgets, strict=True)
            ]
        if self.scope == "layer":
            return request.budgets
        total = tf.add_n(request.budgets)
        return redistribution.by_rank(views, total, self.drop)


def _count_with_ties(view: KernelView, budget: Integer) -> tf.Tensor:
    """Counts the active weights that are at least as large as a budget's."""
    sizes = scores.magnitude(view)
    num_drop = tf.maximum(masks.count(view.mask) - tf.cast(budget, tf.int64), 0)
    threshold = masks.drop_threshold(view.mask, sizes, num_drop)
    kept = masks.mask_after_drop(view.mask, sizes, threshold)
    smallest = tf.reduce_min(tf.where(kept, sizes, sizes.dtype.max))
    return masks.count(tf.logical_and(view.mask, sizes >= smallest))
