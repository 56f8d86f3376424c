"""DeepR: deep rewiring."""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from rigl_tf.algorithms import scores
from rigl_tf.algorithms.base import Algorithm
from rigl_tf.algorithms.base import Request
from rigl_tf.algorithms.kernel_view import CandidateTile
from rigl_tf.algorithms.kernel_view import KernelView
from rigl_tf.sparsity import masks
from rigl_tf.sparsity import schedules


@dataclasses.dataclass(frozen=True)
class DeepR(Algorithm):
    """Drops connections whose weights change sign; grows at random.

    Every connection has a fixed sign: the sign of its first weight, or a
    random one if it starts inactive. Every step adds to the gradient of
    active connections an L1 term and the noise of a random walk. A connection
    whose weight crosses zero is dropped. The same number of connections grows
    in its layer, each with weight zero and its fixed sign. The drop fraction
    is ignored. By default, every step updates the masks.

    The noise and the L1 term are scaled for SGD without momentum, as in the
    paper; other optimizers change their size.

    Args:
        l1: Float >= 0, strength of the L1 term, alpha in the paper.
        temperature: Float >= 0, temperature of the random walk, T in the
            paper. A step with learning rate eta adds sqrt(2 eta T) times a
            standard normal variable to a weight. The default is the value of
            the authors' MNIST script at its first learning rate, 0.5.

    Reference:
        [Bellec et al., 2018](https://arxiv.org/abs/1711.05136), Algorithm 1.

    Example:

    >>> deepr = rigl_tf.algorithms.DeepR(l1=1e-4, temperature=0.0)
    >>> sparse = rigl_tf.sparsify(network, deepr, sparsity=0.5)
    """

    l1: float = 1e-5
    temperature: float = 2.5e-11

    fixes_signs = True
    uses_signs = True
    default_schedule = schedules.UpdateSchedule(1, end_fraction=1.0)

    def __post_init__(self) -> None:
        for name in ("l1", "temperature"):
            value = getattr(self, name)
            if not 0 <= value < float("inf"):
                raise ValueError(
                    f"`{name}` must be a number of at least 0. "
                    f"Received: {name}={value!r}."
                )

    def drop(self, view: KernelView) -> tf.Tensor:
        return view.weight * view.sign

    def grow(self, tile: CandidateTile) -> tf.Tensor:
        return scores.random(tile)

    def num_drop(
        self, views: Sequence[KernelView], request: Request
    ) -> list[tf.Tensor]:
        del request
        return masks.count_each(
            view.mask & (view.weight * view.sign < 0) for view in views
        )

    def perturb(self, view: KernelView, learning_rate: tf.Tensor) -> tf.Tensor:
        scale = tf.math.divide_no_nan(
            2 * self.temperature, tf.cast(learning_rate, tf.float32)
        )
        walk = tf.sqrt(scale) * view.normal()
        return self.l1 * view.sign - tf.cast(walk, view.sign.dtype)
