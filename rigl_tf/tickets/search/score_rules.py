"""Rules that select connections from trained scores."""

import dataclasses

import keras
import tensorflow as tf

from rigl_tf.modeling import sparse_wrapper
from rigl_tf.sparsity import masks
from rigl_tf.utils.serialization import Config


class ScoreRule(Config, registered_name="Rule"):
    """Base class of rules that select connections in a `ScoreModel`.

    A rule has two more methods: `initial_scores(kernel, seed)` returns a
    tensor, and `select(model)` a boolean tensor for each kernel.
    """

    def shape(self, kernel):
        """Returns the shape of a kernel's scores."""
        return kernel.variable.shape

    def constraint(self) -> keras.constraints.Constraint | None:
        """Returns the constraint applied after every step, or `None`."""

    def regularizer(self):
        """Returns the regularizer that adds to the loss, or `None`."""

    def surrogate(self, scores):
        """Returns the function of scores that the gradient differentiates."""
        return scores


@dataclasses.dataclass(frozen=True)
class RoundedScores(ScoreRule, registered_name="Rounded"):
    """Selects connections with a score of at least one half.

    Initial scores are uniform in [0, 1]. After every step, scores are
    projected to [0, 1].

    Args:
        regularization: Float, at least 0: this times the sum of the squared
            scores (`norm=2`) or of the scores (`norm=1`) is added to the loss.
        norm: Integer, 2 or 1.
    """

    regularization: float = 0.0
    norm: int = 2

    def initial_scores(self, kernel, seed):
        return tf.random.stateless_uniform(kernel.variable.shape, seed)

    def constraint(self):
        return UnitInterval()

    def regularizer(self):
        if not self.regularization:
            return None
        cls = {1: keras.regularizers.L1, 2: keras.regularizers.L2}[self.norm]
        return cls(self.regularization)

    def select(self, model):
        return [tf.convert_to_tensor(s) >= 0.5 for s in model.scores]


@dataclasses.dataclass(frozen=True)
class TopKScores(ScoreRule, registered_name="Highest"):
    """Selects the connections with the largest |score|.

    Initial scores are uniform in +-1 / sqrt(fan_in).

    Args:
        counts: List of integers, the connections to select in each layer, or
            `None` to select `model.count` connections of all layers together.
        regularization: As for `RoundedScores`.
    """

    counts: list | None = None
    regularization: float = 0.0

    def initial_scores(self, kernel, seed):
        bound = fan_in(kernel) ** -0.5
        return tf.random.stateless_uniform(
            kernel.variable.shape, seed, -bound, bound
        )

    def regularizer(self):
        if not self.regularization:
            return None
        return keras.regularizers.L2(self.regularization)

    def surrogate(self, scores):
        return tf.abs(scores)

    def select(self, model):
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
class BernoulliScores(ScoreRule, registered_name="Drawn"):
    """Selects random connections, with one trained density per layer.

    The score of a layer is its density in [0, 1]. Every step draws new
    connections.

    Args:
        densities: List of floats, the initial densities.
    """

    densities: list

    def shape(self, kernel):
        del kernel
        return ()

    def initial_scores(self, kernel, seed):
        del kernel
        return self.densities[seed[1]]

    def constraint(self):
        return UnitInterval()

    def select(self, model):
        step = tf.cast(tf.convert_to_tensor(model.step), tf.int64)
        seed = tf.convert_to_tensor(model.sparse_step.seed_variable)
        kernels = sparse_wrapper.sparse_kernels(model.network)
        return [
            tf.random.stateless_uniform(
                kernel.variable.shape,
                tf.stack([seed + i, step]),
                dtype=score.dtype,
            )
            < tf.convert_to_tensor(score)
            for i, (kernel, score) in enumerate(
                zip(kernels, model.scores, strict=True)
            )
        ]


@keras.saving.register_keras_serializable(package="rigl_tf")
class UnitInterval(keras.constraints.Constraint):
    """Constraint that clips values to [0, 1]."""

    def __call__(self, w):
        return tf.clip_by_value(tf.convert_to_tensor(w), 0.0, 1.0)


def fan_in(kernel):
    """Returns the number of connections to one output of a kernel."""
    return kernel.layout.kernel_positions * kernel.layout.inputs
