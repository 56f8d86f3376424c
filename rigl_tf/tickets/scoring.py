"""The loss of a network as a function of its kernels."""

import dataclasses
from collections.abc import Callable

import keras
import tensorflow as tf
from keras import tree

from rigl_tf.tickets import substitution


@dataclasses.dataclass(frozen=True)
class Scoring:
    """What gradients at initialization are taken of.

    Moving averages of normalization stay as they are; the statistics of the
    batch are used.

    Attributes:
        sparse: `SparseModel` with dense masks.
        loss: Function of labels, outputs and weights of examples to a scalar.
        temperature: Number by which outputs are divided.
    """

    sparse: keras.Model
    loss: Callable
    temperature: float = 1.0

    @property
    def kernels(self):
        """List of the kernels' values."""
        return [tf.convert_to_tensor(k.variable) for k in self.sparse.kernels]

    def of(self, kernels, batch, others=()):
        """The loss of a batch.

        Args:
            kernels: List of tensors, in the place of the kernels.
            batch: Pair of examples and labels, or with weights of examples.
            others: Pairs of other variables and what is in their place.
        """
        x, labels, weights = keras.utils.unpack_x_y_sample_weight(batch)
        values = [
            (kernel.variable, value)
            for kernel, value in zip(self.sparse.kernels, kernels, strict=True)
        ]
        y, _ = substitution.outputs(
            self.sparse.network, [*values, *others], x, training=True
        )
        outputs = tree.map_structure(
            lambda one: tf.cast(one, tf.float32) / self.temperature, y
        )
        return self.loss(labels, outputs, weights)


def batches(request, num):
    """The first batches that training would see.

    Raises:
        ValueError: If an epoch has fewer.
    """
    available = request.dataset.steps_per_epoch
    if num > available:
        raise ValueError(
            f"{num} batches are wanted to score connections, and the training "
            f"data have {available}. Ask for fewer, or make batches smaller."
        )
    return list(request.dataset.train(request.seed).take(num))
