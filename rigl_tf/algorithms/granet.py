"""GraNet: gradual pruning with neuroregeneration."""

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
from rigl_tf.utils.validation import check_number


@dataclasses.dataclass(frozen=True)
class GraNet(Algorithm):
    """Prunes all layers together, and replaces weak connections by gradient.

    An update follows the optimizer step. It prunes to the sparsity of a
    schedule, ranking the weights of all layers together. Each layer then drops
    the drop fraction of its remaining connections, the smallest |weight|, and
    grows as many with the largest |gradient|. By default, the sparsity rises
    along a cubic curve in the first half of the updates, and the drop fraction
    falls from 0.5 to 0.005 until the end of training.

    The counts are exact: the authors' code stops one update before the final
    sparsity, and rounds the dropped connections up instead of down.

    Args:
        initial_sparsity: Float in [0, 1), where training starts, or the final
            sparsity if that is lower. 0 is dense-to-sparse training. Layers
            start with sparsities in proportion to their final sparsities.

    Reference:
        [Liu et al., 2021](https://arxiv.org/abs/2106.10404), section 4.

    Example:

    >>> sparse = rigl_tf.sparsify(
    ...     network, rigl_tf.algorithms.GraNet(), sparsity=0.8)
    >>> round(sum(int(k.count()) for k in sparse.kernels) / 56, 1)
    0.5
    """

    initial_sparsity: float = 0.5

    needs_gradient = True
    follows_sparsity = True
    regrows = True
    default_schedule = schedules.UpdateSchedule(end_fraction=1.0)
    default_drop_fraction = schedules.Cosine(0.5, final=0.005)

    def __post_init__(self) -> None:
        check_number("initial_sparsity", self.initial_sparsity, "[0, 1)")

    @property
    def replaces_step(self) -> bool:
        return False

    def sparsity_schedule(self, final: float) -> schedules.PolynomialSparsity:
        initial = min(self.initial_sparsity, final)
        return schedules.PolynomialSparsity(final, initial, end_fraction=0.5)

    def allocate(
        self, views: Sequence[KernelView], request: Request
    ) -> Sequence[Integer]:
        total = tf.add_n(request.budgets)
        return redistribution.by_rank(views, total, scores.magnitude)

    def grow(self, tile: CandidateTile) -> tf.Tensor:
        return scores.gradient(tile)
