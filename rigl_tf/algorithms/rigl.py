"""RigL, and RigL that shares connections among layers."""

import dataclasses

from rigl_tf.algorithms import redistribution
from rigl_tf.algorithms import scores
from rigl_tf.algorithms.base import Algorithm


@dataclasses.dataclass(frozen=True)
class RigL(Algorithm):
    """Grows the connections with the largest gradient.

    Reference:
        [Evci et al., 2020](https://arxiv.org/abs/1911.11134), Algorithm 1.
    """

    needs_gradient = True

    def grow(self, tile):
        return scores.gradient(tile)


@dataclasses.dataclass(frozen=True)
class RigLSG(RigL):
    """RigL whose layers share in proportion to their mean |gradient|.

    The mean is over the connections that survive the drop; the paper takes it
    before.

    Reference:
        [Sundar & Dwaraknath, 2021](https://arxiv.org/abs/2103.15767),
        section 5.5.
    """

    def redistribute(self, views, num_dropped, request):
        del request
        return redistribution.by_mean_over_active(
            views, num_dropped, "gradient"
        )


@dataclasses.dataclass(frozen=True)
class RigLSM(RigL):
    """RigL whose layers share in proportion to their mean |momentum|.

    The momentum is the optimizer's: the velocity of SGD, the first moment of
    Adam. The mean is over the connections that survive the drop.

    Reference:
        [Sundar & Dwaraknath, 2021](https://arxiv.org/abs/2103.15767),
        section 5.5.
    """

    needs_momentum = True

    def redistribute(self, views, num_dropped, request):
        del request
        return redistribution.by_mean_over_active(
            views, num_dropped, "momentum"
        )
