"""MEST: memory-economic sparse training."""

import dataclasses

import tensorflow as tf

from rigl_tf.algorithms import scores
from rigl_tf.algorithms.base import Algorithm
from rigl_tf.algorithms.kernel_view import CandidateTile
from rigl_tf.algorithms.kernel_view import KernelView
from rigl_tf.sparsity import schedules
from rigl_tf.utils.validation import check_number


@dataclasses.dataclass(frozen=True)
class MEST(Algorithm):
    """Drops the smallest |weight| + lambda |gradient|; grows at random.

    An update follows the optimizer step and uses the gradient of its batch.
    With a constant sparsity, this is the elastic mutation of the paper (EM).
    With a sparsity that rises to the final sparsity, new connections train
    before others are dropped for them: the soft memory bound (EM&S). In the
    paper, fractions and sparsities change in steps: EM at sparsity 0.9 replaces
    20 % of active connections, later 10 %, and none at the end.

    Args:
        gradient_weight: Float >= 0, lambda in the paper; 0 needs no gradient.

    Reference:
        [Yuan et al., 2021](https://arxiv.org/abs/2110.14032), section 3.

    Example:

    EM&S with sparsities of 0.88, 0.89 and 0.9; every update first drops to 0.9:

    >>> fractions = {0: 2 / 12, 9000: 1 / 11, 12000: 0.0}
    >>> sparse = rigl_tf.sparsify(
    ...     keras.Sequential([keras.Input((50,)), keras.layers.Dense(10)]),
    ...     rigl_tf.algorithms.MEST(),
    ...     sparsity=rigl_tf.schedules.PiecewiseSparsity(
    ...         {0: 0.88, 9000: 0.89, 12000: 0.9}),
    ...     drop_fraction=rigl_tf.schedules.PiecewiseConstant(fractions))
    >>> int(sparse.kernels[0].count()), sparse.budgets
    (60, [50])
    """

    gradient_weight: float = 0.01

    follows_sparsity = True
    regrows = True

    def __post_init__(self) -> None:
        check_number("gradient_weight", self.gradient_weight, "[0, inf)")

    @property
    def needs_gradient(self) -> bool:
        return self.gradient_weight > 0

    @property
    def replaces_step(self) -> bool:
        return False

    def sparsity_schedule(self, final: float) -> schedules.ConstantSparsity:
        return schedules.ConstantSparsity(final)

    def drop(self, view: KernelView) -> tf.Tensor:
        magnitude = scores.magnitude(view)
        if not self.needs_gradient:
            return magnitude
        return magnitude + self.gradient_weight * scores.gradient(view)

    def grow(self, tile: CandidateTile) -> tf.Tensor:
        return scores.random(tile)
