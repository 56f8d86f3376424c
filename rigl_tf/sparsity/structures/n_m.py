"""N of every M consecutive inputs."""

import dataclasses
import math

import tensorflow as tf

from rigl_tf.sparsity.structures.groups import Groups
from rigl_tf.utils.validation import check_count


@dataclasses.dataclass(frozen=True)
class NM(Groups):
    """N:M sparsity: n of every m consecutive inputs of an output are active.

    The sparsity of layers is 1 - n/m, or 0: 2:4 is `sparsity=0.5` with the
    distribution `"uniform"` or `"uniform_all"`. An update drops as always;
    then every group grows as many as it has lost. Pruning leaves the n
    strongest of a group.

    Args:
        n: Integer from 1 to m - 1.
        m: Integer, which divides the inputs of every layer that is sparse.

    Reference:
        [Zhou et al., 2021](https://arxiv.org/abs/2102.04010), section 3, for
        the pattern.
    """

    n: int = 2
    m: int = 4

    def __post_init__(self):
        check_count("n", self.n)
        check_count("m", self.m, least=2)
        if self.n >= self.m:
            raise ValueError(
                f"`n` must be less than m. Received: n={self.n}, m={self.m}."
            )

    def budgets(self, kernels, budgets):
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

    def protected(self, scores, mask, layout):
        best = self.best(scores, mask, self.n, layout)
        return tf.where(best, tf.constant(float("inf"), scores.dtype), scores)

    def grouped(self, values, layout):
        shape = (layout.taps, -1, self.m, layout.outputs)
        return tf.transpose(
            tf.reshape(layout.stack(values), shape), (0, 1, 3, 2)
        )

    def ungrouped(self, groups, layout):
        stacked = tf.transpose(groups, (0, 1, 3, 2))
        shape = (layout.taps, layout.inputs, layout.outputs)
        return layout.unstack(tf.reshape(stacked, shape))
