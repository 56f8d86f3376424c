"""Trains scores of connections while the weights stay as they are."""

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
    """Finds connections by the gradient of their scores.

    A kernel counts as its weights times what a rule makes of the scores times
    its mask. The gradient passes through the rule as if it were the identity.
    Scores are what `fit` trains: `kernels` has them in the place of weights,
    so that where a mask is `False` a score is zero, stays zero and gets no
    gradient.

    Args:
        network: A built `keras.Model` with `Sparse` layers.
        rule: Of `rigl_tf.tickets.search.score_rules`.
        seed: Integer, for the scores to begin with.

    Attributes:
        scores: List of variables.
        size: Integer, connections in all.
        count: int64 variable, how many of them may count, for rules that go
            by it.
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
        """Makes a score for every connection, in the place of weights."""
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
            score.assign(self.rule.first_scores(kernel, (self.seed, i)))
            score.constraint = self.rule.constraint()
            if score.shape == kernel.mask.shape:
                score.constraint = KeepZeros(kernel.mask, score.constraint)
                kernels.append(dataclasses.replace(kernel, variable=score))
            self.scores.append(score)
        self.sparse_step.watch(kernels)

    @property
    def trains_itself(self):
        """No: scores are trained, whatever the network's class does."""
        return False

    @property
    def moving_averages(self):
        weights = {
            id(kernel.variable)
            for kernel in sparse_wrapper.sparse_kernels(self.network)
        }
        return [v for v in super().moving_averages if id(v) not in weights]

    def chosen(self):
        """The connections that count now, as a list of boolean tensors."""
        return [
            tf.logical_and(hard, tf.convert_to_tensor(kernel.mask))
            for hard, kernel in zip(
                self.rule.choose(self),
                sparse_wrapper.sparse_kernels(self.network),
                strict=True,
            )
        ]

    def current_density(self):
        """The fraction of connections that count now, a float."""
        kept = sum(int(tf.math.count_nonzero(c)) for c in self.chosen())
        return kept / self.size

    def call(self, inputs, training=None):
        kernels = sparse_wrapper.sparse_kernels(self.network)
        values = []
        for kernel, score, chosen in zip(
            kernels, self.scores, self.chosen(), strict=True
        ):
            weight = tf.convert_to_tensor(kernel.variable)
            gate = _gate(
                self.rule.soft(tf.convert_to_tensor(score)),
                tf.cast(chosen, weight.dtype),
            )
            values.append((kernel.variable, weight * gate))
        y, updates = functional_call.outputs(
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
    """`hard` itself, and for the gradient as if it were `score`."""

    def gradient(upstream):
        # A score for many connections has the gradient of all.
        whole = upstream if score.shape.rank else tf.reduce_sum(upstream)
        return tf.cast(whole, score.dtype), None

    return hard, gradient
