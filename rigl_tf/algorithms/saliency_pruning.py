"""Saliency pruning."""

import dataclasses

import tensorflow as tf

from rigl_tf.algorithms import scores
from rigl_tf.algorithms.gradual_pruning import GradualPruning
from rigl_tf.algorithms.kernel_view import KernelView


@dataclasses.dataclass(frozen=True)
class SaliencyPruning(GradualPruning):
    """Drops the smallest |weight x gradient| to follow a sparsity schedule.

    The score is the first-order change of the loss without the connection. An
    update replaces the optimizer step: its batch is used only for the gradient.
    No connection grows.

    Args:
        scope: `"layer"` prunes each layer to its budget; `"global"` ranks
            the scores of all layers together.
        initial_sparsity: Float in [0, 1), of the first update, or the final
            sparsity if that is lower. Until then, no weight is pruned.

    Reference:
        [Molchanov et al., 2017](https://arxiv.org/abs/1611.06440), section 2.2,
        here for single weights.

    Example:

    >>> sparse = rigl_tf.sparsify(
    ...     network, rigl_tf.algorithms.SaliencyPruning(), sparsity=0.9)
    """

    needs_gradient = True

    def drop(self, view: KernelView) -> tf.Tensor:
        return scores.saliency(view)
