"""Constant fan-in sparsity (SRigL)."""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from rigl_tf.sparsity import masks
from rigl_tf.sparsity.kernel_layout import Layout
from rigl_tf.sparsity.structures.base import Kernel
from rigl_tf.sparsity.structures.groups import GroupedSparsity
from rigl_tf.sparsity.structures.groups import ranks
from rigl_tf.typing import GrowScores
from rigl_tf.typing import Integer
from rigl_tf.utils.validation import check_number


@dataclasses.dataclass(frozen=True)
class ConstantFanIn(GroupedSparsity):
    """Constant fan-in: all active neurons of a layer have equally many inputs.

    With RigL, this is SRigL. An update drops as in unstructured sparsity. Then
    a neuron is ablated permanently if the method would leave it less than a
    fraction `ablation` of the fan-in. The connections of the layer are shared
    by the remaining neurons: each grows up to the new fan-in. If the
    budget is not divisible by the number of neurons, the remainder is not
    used. A layer needs a budget of at least one connection for each neuron.

    If neurons are ablated, exclude the last layer, whose outputs are the
    outputs of the model.

    Args:
        ablation: Float in [0, 1), the fraction of the fan-in below which a
            neuron is ablated. 0 ablates none; the paper uses 0.3 for CNNs.

    Reference:
        [Lasby et al., 2024](https://arxiv.org/abs/2305.02299), section 3.
        The paper does not count a connection that is dropped and would grow
        again in the same update; this class counts it, as RigL does.

    Example:

    >>> sparse = rigl_tf.sparsify(
    ...     network, "rigl", sparsity=0.5, distribution="uniform_all",
    ...     structure=rigl_tf.structures.ConstantFanIn())
    """

    ablation: float = 0.0

    refill_to_budget = True

    def __post_init__(self) -> None:
        check_number("ablation", self.ablation, "[0, 1)")

    def budgets(
        self, kernels: Sequence[Kernel], budgets: Sequence[int]
    ) -> list[int]:
        for kernel, budget in zip(kernels, budgets, strict=True):
            if budget < kernel.layout.outputs:
                raise ValueError(
                    f"The {kernel.layout.outputs} outputs of {kernel.name!r} "
                    "need at least one connection each. Received: a budget of "
                    f"{budget} connections. Lower the sparsity, or pass "
                    f"exclude=[{kernel.name!r}]."
                )
        return [
            budget - budget % kernel.layout.outputs
            for kernel, budget in zip(kernels, budgets, strict=True)
        ]

    def is_valid(self, units: tf.Tensor, layout: Layout) -> bool:
        fan_in = self.count(units, layout)
        return bool(
            tf.reduce_all((fan_in == 0) | (fan_in == tf.reduce_max(fan_in)))
        )

    def grow(
        self,
        before: tf.Tensor,
        mask: tf.Tensor,
        scores: GrowScores,
        num_grow: Integer,
        layout: Layout,
    ) -> tf.Tensor:
        fan_in = self.count(before, layout)
        is_active = fan_in > 0
        budget = masks.count(mask) + tf.cast(num_grow, tf.int64)
        if self.ablation:
            free = self.count(masks.grow(mask, scores, num_grow), layout)
            enough = self.ablation * tf.cast(tf.reduce_max(fan_in), tf.float32)
            free = tf.where(is_active, free, -1)
            is_kept = tf.logical_or(
                tf.cast(free, tf.float32) >= enough,
                ranks(free) < _min_neurons(budget, layout),
            )
            is_active = tf.logical_and(is_active, is_kept)
            groups = tf.logical_and(
                self.to_groups(mask, layout), tf.expand_dims(is_active, -1)
            )
            mask = self.from_groups(groups, layout)
        target = tf.cast(budget // masks.count(is_active), tf.int32)
        target = tf.where(is_active, target, 0)
        return self.fill(mask, scores, target, layout)

    def to_groups(self, values: tf.Tensor, layout: Layout) -> tf.Tensor:
        return tf.transpose(layout.matrix(values))

    def from_groups(self, groups: tf.Tensor, layout: Layout) -> tf.Tensor:
        shape = (layout.kernel_positions, layout.inputs, layout.outputs)
        return layout.unstack(tf.reshape(tf.transpose(groups), shape))


def _min_neurons(budget: tf.Tensor, layout: Layout) -> tf.Tensor:
    """Returns the fewest neurons that can hold all connections."""
    max_fan_in = layout.kernel_positions * layout.inputs
    return tf.cast(-(-budget // max_fan_in), tf.int32)
