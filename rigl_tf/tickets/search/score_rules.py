"""What scores make of connections: which of them count."""

import dataclasses

import keras
import tensorflow as tf

from rigl_tf.modeling import sparse_wrapper
from rigl_tf.sparsity import masks
from rigl_tf.utils.serialization import Config


class Rule(Config):
    """What a `ScoreModel` makes of its scores; here, what most have in common.

    A rule gives `first_scores(kernel, seed)`, a tensor, and `choose(model)`,
    a boolean tensor for each kernel.
    """

    def shape(self, kernel):
        """That of a kernel's scores."""
        return kernel.variable.shape

    def constraint(self):
        """What projects scores after every step, or `None`."""

    def regularizer(self):
        """What is added to the loss, or `None`."""

    def soft(self, scores):
        """What the gradient takes the choice for."""
        return scores


@dataclasses.dataclass(frozen=True)
class Rounded(Rule):
    """A connection counts if its score is at least one half.

    Scores begin uniform in [0, 1] and are projected back into it after every
    step.

    Args:
        regularization: Float, at least 0: this times the sum of the squared
            scores, or of the scores, is added to the loss.
        norm: Integer, 2 or 1.
    """

    regularization: float = 0.0
    norm: int = 2

    def first_scores(self, kernel, seed):
        return tf.random.stateless_uniform(kernel.variable.shape, seed)

    def constraint(self):
        return UnitInterval()

    def regularizer(self):
        kind = {1: keras.regularizers.L1, 2: keras.regularizers.L2}[self.norm]
        return kind(self.regularization) if self.regularization else None

    def choose(self, model):
        return [tf.convert_to_tensor(s) >= 0.5 for s in model.scores]


@dataclasses.dataclass(frozen=True)
class Highest(Rule):
    """The connections with the largest |score| count.

    Scores begin uniform within 1 / sqrt(inputs of a neuron).

    Args:
        counts: List of integers, connections that count in each layer, or
            `None`: as many as `model.count` says of all layers together.
        regularization: As for `Rounded`.
    """

    counts: list | None = None
    regularization: float = 0.0

    def first_scores(self, kernel, seed):
        bound = fan_in(kernel) ** -0.5
        return tf.random.stateless_uniform(
            kernel.variable.shape, seed, -bound, bound
        )

    def regularizer(self):
        if not self.regularization:
            return None
        return keras.regularizers.L2(self.regularization)

    def soft(self, scores):
        return tf.abs(scores)

    def choose(self, model):
        sizes = [tf.abs(tf.convert_to_tensor(s)) for s in model.scores]
        counts = self.counts
        if counts is None:
            counts = masks.count_in_top_k(
                [
                    lambda tile, s=s: (s, tf.ones_like(s, tf.bool))
                    for s in sizes
                ],
                tf.convert_to_tensor(model.count),
            )
        return [
            masks.top_k_mask(size, count)
            for size, count in zip(sizes, counts, strict=True)
        ]


@dataclasses.dataclass(frozen=True)
class Drawn(Rule):
    """Connections count at random, each layer with a density of its own.

    The score of a layer is its density, kept in [0, 1]. At every step, other
    connections are drawn.

    Args:
        densities: List of floats, to begin with.
    """

    densities: list

    def shape(self, kernel):
        del kernel
        return ()

    def first_scores(self, kernel, seed):
        del kernel
        return self.densities[seed[1]]

    def constraint(self):
        return UnitInterval()

    def choose(self, model):
        step = tf.cast(tf.convert_to_tensor(model.step), tf.int64)
        kernels = sparse_wrapper.sparse_kernels(model.network)
        return [
            tf.random.stateless_uniform(
                kernel.variable.shape,
                tf.stack([tf.constant(model.seed + i, tf.int64), step]),
                dtype=score.dtype,
            )
            < tf.convert_to_tensor(score)
            for i, (kernel, score) in enumerate(
                zip(kernels, model.scores, strict=True)
            )
        ]


@keras.saving.register_keras_serializable(package="rigl_tf")
class UnitInterval(keras.constraints.Constraint):
    """Projects what it is given into [0, 1]."""

    def __call__(self, w):
        return tf.clip_by_value(tf.convert_to_tensor(w), 0.0, 1.0)


def fan_in(kernel):
    """Integer, the connections that lead to an output of a kernel."""
    return kernel.layout.kernel_positions * kernel.layout.inputs
