"""RigL."""

import dataclasses

from keras import ops

from rigl_tf.algorithms.base import Algorithm


@dataclasses.dataclass(frozen=True)
class RigL(Algorithm):
    """Grows the connections with the largest gradient.

    Reference:
        [Evci et al., 2020](https://arxiv.org/abs/1911.11134), Algorithm 1.
    """

    needs_gradient = True

    def grow(self, view):
        return ops.abs(view.gradient)
