"""AC/DC: alternating compressed and decompressed training."""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from rigl_tf.algorithms.base import Request
from rigl_tf.algorithms.gradual_pruning import GradualPruning
from rigl_tf.algorithms.kernel_view import KernelView
from rigl_tf.sparsity import schedules


@dataclasses.dataclass(frozen=True)
class ACDC(GradualPruning):
    """Alternates between sparse and dense training; the end is sparse.

    Each sparse phase keeps the largest |weight| at its first update. Each
    dense phase restores all other connections, with weight zero. Connections
    that stay keep their momentum, as in the authors' code by default. The drop
    fraction is ignored. By default, phases are one epoch long, and the last
    15 % of training are sparse.

    Any calendar of phases is possible: a `PiecewiseSparsity` has the steps at
    which the sparsity changes, and the update schedule an interval that
    divides these steps.

    Args:
        scope: `"global"` ranks the weights of all layers together; `"layer"`
            keeps the budget of each layer.

    Reference:
        [Peste et al., 2021](https://arxiv.org/abs/2106.12379), Algorithm 1.

    Example:

    The paper's calendar for ImageNet, in which an epoch has 5,005 steps:

    >>> changes = [*range(10, 80, 5), 85]  # epochs; the first one is sparse
    >>> phases = {5005 * e: 0.9 * (i % 2 == 0) for i, e in enumerate(changes)}
    >>> sparse = rigl_tf.sparsify(
    ...     network, rigl_tf.algorithms.ACDC(),
    ...     sparsity=rigl_tf.schedules.PiecewiseSparsity({0: 0.0, **phases}),
    ...     schedule=rigl_tf.schedules.UpdateSchedule(25025, end_step=500500))
    """

    scope: str = "global"
    initial_sparsity: float = dataclasses.field(
        default=0.0, init=False, repr=False
    )

    regrows = True
    default_schedule = schedules.UpdateSchedule(None, end_fraction=0.85)

    def sparsity_schedule(self, final: float) -> schedules.Alternating:
        return schedules.Alternating(final)

    def num_drop(
        self, views: Sequence[KernelView], request: Request
    ) -> list[tf.Tensor]:
        no_fractions = request._replace(fractions=[0.0] * len(views))
        return super().num_drop(views, no_fractions)
