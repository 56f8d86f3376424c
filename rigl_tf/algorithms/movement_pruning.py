"""Movement pruning."""

import dataclasses

import tensorflow as tf

from rigl_tf.algorithms.gradual_pruning import GradualPruning
from rigl_tf.algorithms.kernel_view import KernelView


@dataclasses.dataclass(frozen=True)
class MovementPruning(GradualPruning):
    """Drops the weights that move to zero, to follow a sparsity schedule.

    The score of a connection is the sum over all steps of -gradient x weight:
    it rises if steps of gradient descent increase |weight|. Connections with
    the lowest scores are dropped, and do not grow again. In the paper, scores
    are trained with a separate optimizer, and dropped connections can return.

    It suits the fine-tuning of trained models, where |weight| depends mostly
    on the earlier training.

    Args:
        scope: `"layer"` prunes each layer to its budget; `"global"` ranks
            the scores of all layers together.
        initial_sparsity: Float in [0, 1), of the first update, or the final
            sparsity if that is lower. Until then, no weight is pruned.

    Reference:
        [Sanh et al., 2020](https://arxiv.org/abs/2005.07683), section 4.

    Example:

    >>> sparse = rigl_tf.sparsify(
    ...     network, rigl_tf.algorithms.MovementPruning(), sparsity=0.9)
    """

    tracks_gradient = True
    uses_signs = True

    def track(self, view: KernelView) -> tf.Tensor:
        return view.momentum - view.gradient * view.weight

    def drop(self, view: KernelView) -> tf.Tensor:
        return view.momentum
