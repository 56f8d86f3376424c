"""N:M sparsity."""

import dataclasses
import math
from collections.abc import Sequence

import tensorflow as tf

from rigl_tf.sparsity.kernel_layout import Layout
from rigl_tf.sparsity.structures.base import Kernel
from rigl_tf.sparsity.structures.groups import GroupedSparsity
from rigl_tf.utils.validation import check_count


@dataclasses.dataclass(frozen=True)
class NM(GroupedSparsity):
    """N:M sparsity: n of every m consecutive inputs of an output are active.

    The sparsity of layers is 1 - n/m, or 0: 2:4 is `sparsity=0.5` with the
    distribution `"uniform"` or `"uniform_all"`. An update drops as in
    unstructured sparsity; then every group grows as many connections as it
    lost. Pruning keeps the n strongest connections of a group.

    Args:
        n: Integer from 1 to m - 1.
        m: Integer, a divisor of the number of inputs of every sparse layer.

    Reference:
        [Zhou et al., 2021](https://arxiv.org/abs/2102.04010), section 3, for
        the pattern.

    Example:

    >>> sparse = rigl_tf.sparsify(
    ...     network, "rigl", sparsity=0.5, distribution="uniform_all",
    ...     structure=rigl_tf.structures.NM(2, 4))
    """

    n: int = 2
    m: int = 4

    def __post_init__(self) -> None:
        check_count("n", self.n)
        check_count("m", self.m, least=2)
        if self.n >= self.m:
            raise ValueError(
                f"`n` must be less than m. Received: n={self.n}, m={self.m}."
            )

    def budgets(
        self, kernels: Sequence[Kernel], budgets: Sequence[int]
    ) -> Sequence[int]:
        for kernel, budget in zip(kernels, budgets, strict=True):
            size = math.prod(kernel.layout.kernel_shape)
            if budget == size:
                continue
            if kernel.layout.inputs % self.m:
                raise ValueError(
                    f"The {kernel.layout.inputs} inputs of {kernel.name!r} "
                    f"cannot be divided into groups of {self.m}. Pass "
                    f"exclude=[{kernel.name!r}], or another m."
                )
            if budget * self.m != size * self.n:
                raise ValueError(
                    f"{self.n} of every {self.m} connections of "
                    f"{kernel.name!r} are {size * self.n // self.m}, not "
                    f"{budget}. Pass sparsity={1 - self.n / self.m:g} and "
                    'distribution="uniform" or "uniform_all".'
                )
        return budgets

    def is_valid(self, units: tf.Tensor, layout: Layout) -> bool:
        if layout.inputs % self.m:
            return bool(tf.reduce_all(units))  # a dense layer
        counts = self.count(units, layout)
        return any(bool(tf.reduce_all(counts == n)) for n in (self.n, self.m))

    def protect(
        self, scores: tf.Tensor, mask: tf.Tensor, layout: Layout
    ) -> tf.Tensor:
        best = self.top_k_in_groups(scores, mask, self.n, layout)
        return tf.where(best, tf.constant(float("inf"), scores.dtype), scores)

    def to_groups(self, values: tf.Tensor, layout: Layout) -> tf.Tensor:
        shape = (layout.kernel_positions, -1, self.m, layout.outputs)
        return tf.transpose(
            tf.reshape(layout.stack(values), shape), (0, 1, 3, 2)
        )

    def from_groups(self, groups: tf.Tensor, layout: Layout) -> tf.Tensor:
        stacked = tf.transpose(groups, (0, 1, 3, 2))
        shape = (layout.kernel_positions, layout.inputs, layout.outputs)
        return layout.unstack(tf.reshape(stacked, shape))
