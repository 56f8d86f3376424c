"""A model that trains scores of connections; the weights are fixed."""

import dataclasses

import keras
import tensorflow as tf

from rigl_tf.algorithms import Static
from rigl_tf.kernels import KeepZeros
from rigl_tf.modeling import sparse_wrapper
from rigl_tf.modeling.sparse_model import SparseModel
from rigl_tf.sparsity.schedules import Cosine
from rigl_tf.sparsity.schedules import UpdateSchedule
from rigl_tf.tickets.saliency import functional_call


@keras.saving.register_keras_serializable(package="rigl_tf")
class ScoreModel(SparseModel):
    """Trains a score for every connection of a network with fixed weights.

    The effective kernel is the product of the weights, the mask and the
    selection that a rule makes from the scores. The gradient passes straight
    through the selection (a straight-through estimator). `fit` trains the
    scores: the variables of `kernels` are scores instead of weights. A score
    is zero and has no gradient where the mask is `False`.

    Args:
        network: A built `keras.Model` with `Sparse` layers.
        rule: `ScoreRule` of `rigl_tf.tickets.search.score_rules`.
        seed: Integer, for the initial scores.

    Attributes:
        scores: List of variables.
        size: Integer, total number of connections.
        count: int64 variable, the number of connections to select, for rules
            that use it.
    """

    _OBJECTS = ("network", "rule")

    def __init__(self, network, rule, seed=0, **kwargs):
        self.rule = rule
        super().__init__(
            network,
            Static(),
            UpdateSchedule(),
            Cosine(),
            None,
            [kernel.size for kernel in sparse_wrapper.sparse_kernels(network)],
            seed,
            **kwargs,
        )

    def _watch(self):
        """Creates the scores, which replace the weights as variables."""
        for variable in self.network.weights:
            variable.trainable = False
        self.size = sum(self.budgets)
        self.count = self.add_weight(
            name="count",
            shape=(),
            dtype="int64",
            initializer=keras.initializers.Constant(self.size),
            trainable=False,
            aggregation="only_first_replica",
        )
        self.scores, kernels = [], []
        for i, kernel in enumerate(sparse_wrapper.sparse_kernels(self.network)):
            score = self.add_weight(
                name=f"{kernel.name.replace('/', '_')}_scores",
                shape=self.rule.shape(kernel),
                initializer="zeros",
                regularizer=self.rule.regularizer(),
                dtype=keras.config.floatx(),  # as losses are
            )
            score.assign(self.rule.initial_scores(kernel, (self.seed, i)))
            score.constraint = self.rule.constraint()
            if score.shape == kernel.mask.shape:
                score.constraint = KeepZeros(kernel.mask, score.constraint)
                kernels.append(dataclasses.replace(kernel, variable=score))
            self.scores.append(score)
        self.sparse_step.watch(kernels)

    @property
    def trains_itself(self):
        """False: scores are trained, even if the network's class trains."""
        return False

    @property
    def moving_averages(self):
        weights = {
            id(kernel.variable)
            for kernel in sparse_wrapper.sparse_kernels(self.network)
        }
        return [v for v in super().moving_averages if id(v) not in weights]

    def selected_masks(self):
        """Returns the selected connections as a list of boolean tensors."""
        return [
            tf.logical_and(hard, tf.convert_to_tensor(kernel.mask))
            for hard, kernel in zip(
                self.rule.select(self),
                sparse_wrapper.sparse_kernels(self.network),
                strict=True,
            )
        ]

    def current_density(self):
        """Returns the fraction of selected connections, a float."""
        masks = self.selected_masks()
        return sum(int(tf.math.count_nonzero(m)) for m in masks) / self.size

    def call(self, inputs, training=None):
        kernels = sparse_wrapper.sparse_kernels(self.network)
        values = []
        for kernel, score, selected in zip(
            kernels, self.scores, self.selected_masks(), strict=True
        ):
            weight = tf.convert_to_tensor(kernel.variable)
            gate = _gate(
                self.rule.surrogate(tf.convert_to_tensor(score)),
                tf.cast(selected, weight.dtype),
            )
            values.append((kernel.variable, weight * gate))
        y, updates = functional_call.call_with_values(
            self.network, values, inputs, training
        )
        for variable, value in updates:
            variable.assign(value)
        return y

    def get_config(self):
        return {
            "name": self.name,
            "seed": self.seed,
            **self._serialized(),
        }


@tf.custom_gradient
def _gate(score, hard):
    """Returns `hard`, with the gradient of `score`."""

    def gradient(upstream):
        # The gradient of a scalar score is the sum over all connections.
        total = upstream if score.shape.rank else tf.reduce_sum(upstream)
        return tf.cast(total, score.dtype), None

    return hard, gradient
