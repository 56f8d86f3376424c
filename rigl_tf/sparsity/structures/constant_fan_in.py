"""Constant fan-in sparsity (SRigL)."""

import dataclasses

import tensorflow as tf

from rigl_tf.sparsity import masks
from rigl_tf.sparsity.structures.groups import Groups
from rigl_tf.sparsity.structures.groups import places
from rigl_tf.utils.validation import check_number


@dataclasses.dataclass(frozen=True)
class ConstantFanIn(Groups):
    """Gives every neuron or channel of a layer the same fan-in, or none.

    With RigL, this is SRigL. An update drops as always. A neuron is then
    ablated, for good, if the method would leave it less than a fraction of
    the others' inputs; the connections of the layer go to those that remain,
    each growing up to the new fan-in. The remainder of a division of the
    budget by the number of neurons is not used. A layer whose budget is less
    than one connection for each neuron is refused.

    The last layer's outputs are the model's: exclude it if neurons are
    ablated.

    Args:
        ablation: Float in [0, 1), the fraction of the fan-in below which a
            neuron goes. 0 for none; the paper has 0.3 for CNNs.

    Reference:
        [Lasby et al., 2024](https://arxiv.org/abs/2305.02299), section 3.
        There, a connection that is dropped and would grow again in the same
        update is not counted; here it is, as in RigL.
    """

    ablation: float = 0.0

    refills = True

    def __post_init__(self):
        check_number("ablation", self.ablation, "[0, 1)")

    def budgets(self, kernels, budgets):
        for kernel, budget in zip(kernels, budgets, strict=True):
            if budget < kernel.layout.outputs:
                raise ValueError(
                    f"The {kernel.layout.outputs} outputs of {kernel.name!r} "
                    f"cannot share {budget} connections, one or more each. "
                    f"Lower the sparsity, or pass exclude=[{kernel.name!r}]."
                )
        return [
            budget - budget % kernel.layout.outputs
            for kernel, budget in zip(kernels, budgets, strict=True)
        ]

    def grow(self, before, mask, scores, num_grow, layout):
        fan_in = self.count(before, layout)
        alive = fan_in > 0
        budget = masks.count(mask) + tf.cast(num_grow, tf.int64)
        if self.ablation:
            free = self.count(masks.grow(mask, scores, num_grow), layout)
            enough = self.ablation * tf.cast(tf.reduce_max(fan_in), tf.float32)
            free = tf.where(alive, free, -1)
            stays = tf.logical_or(
                tf.cast(free, tf.float32) >= enough,
                places(free) < _fewest(budget, layout),
            )
            alive = tf.logical_and(alive, stays)
            groups = tf.logical_and(
                self.grouped(mask, layout), alive[..., None]
            )
            mask = self.ungrouped(groups, layout)
        wanted = tf.cast(budget // masks.count(alive), tf.int32)
        wanted = tf.where(alive, wanted, 0)
        return self.fill(mask, scores, wanted, layout)

    def grouped(self, values, layout):
        return tf.transpose(layout.matrix(values))

    def ungrouped(self, groups, layout):
        shape = (layout.taps, layout.inputs, layout.outputs)
        return layout.unstack(tf.reshape(tf.transpose(groups), shape))


def _fewest(budget, layout):
    """The fewest neurons that have room for all connections."""
    room = layout.taps * layout.inputs
    return tf.cast(-(-budget // room), tf.int32)
