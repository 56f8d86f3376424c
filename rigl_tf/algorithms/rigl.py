"""RigL, and RigL with redistribution between layers."""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from rigl_tf.algorithms import redistribution
from rigl_tf.algorithms import scores
from rigl_tf.algorithms.base import Algorithm
from rigl_tf.algorithms.base import Request
from rigl_tf.algorithms.kernel_view import CandidateTile
from rigl_tf.algorithms.kernel_view import KernelView


@dataclasses.dataclass(frozen=True)
class RigL(Algorithm):
    """Drops the smallest |weight|, grows the largest |gradient|.

    An update replaces the optimizer step: its batch is used only for the
    gradient. By default, new connections have weight zero.

    Reference:
        [Evci et al., 2020](https://arxiv.org/abs/1911.11134), Algorithm 1.

    Example:

    >>> sparse = rigl_tf.sparsify(
    ...     network, rigl_tf.algorithms.RigL(), sparsity=0.5)
    >>> round(1 - sum(int(k.count()) for k in sparse.kernels) / 56, 1)
    0.5
    """

    needs_gradient = True

    def grow(self, tile: CandidateTile) -> tf.Tensor:
        return scores.gradient(tile)


@dataclasses.dataclass(frozen=True)
class RigLSG(RigL):
    """RigL with redistribution in proportion to the mean |gradient|.

    The mean is over the active connections after the drop; in the paper, before
    the drop.

    Reference:
        [Sundar & Dwaraknath, 2021](https://arxiv.org/abs/2103.15767),
        section 5.5.
    """

    def redistribute(
        self,
        views: Sequence[KernelView],
        num_dropped: list[tf.Tensor],
        request: Request,
    ) -> list[tf.Tensor]:
        del request
        return redistribution.by_mean_over_active(
            views, num_dropped, "gradient"
        )


@dataclasses.dataclass(frozen=True)
class RigLSM(RigL):
    """RigL with redistribution in proportion to the mean |momentum|.

    The momentum is the velocity of SGD or the first moment of Adam. The mean is
    over the active connections after the drop.

    Reference:
        [Sundar & Dwaraknath, 2021](https://arxiv.org/abs/2103.15767),
        section 5.5.
    """

    needs_momentum = True

    def redistribute(
        self,
        views: Sequence[KernelView],
        num_dropped: list[tf.Tensor],
        request: Request,
    ) -> list[tf.Tensor]:
        del request
        return redistribution.by_mean_over_active(
            views, num_dropped, "momentum"
        )
