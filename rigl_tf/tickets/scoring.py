"""Derivatives of the loss of a network that is not trained yet."""

import dataclasses
import functools
import re
from collections.abc import Callable

import keras
import tensorflow as tf
from keras import tree

from rigl_tf import losses
from rigl_tf.checks import check_count
from rigl_tf.tickets import second_derivatives
from rigl_tf.tickets import substitution
from rigl_tf.tickets.one_shot import OneShot


@dataclasses.dataclass(frozen=True, eq=False)
class Scoring:
    """What is differentiated: the mean loss of a batch.

    Moving averages of normalization stay as they are; the statistics of the
    batch are used. Second derivatives go through these statistics, too. What
    a layer holds constant by definition, as batch renormalization and
    spectral normalization do, is constant here.

    Attributes:
        network: `keras.Model`.
        variables: List of variables, by which the loss is differentiated.
        loss: Function of labels, outputs and weights of examples to a scalar.
        examples_at_once: See `ByGradient`.
        adds_up: Whether the loss is a sum over examples, not a mean.
    """

    network: keras.Model
    variables: list
    loss: Callable
    examples_at_once: int | None = None
    adds_up: bool = False

    @property
    def values(self):
        """List of the variables' values."""
        return [tf.convert_to_tensor(v) for v in self.variables]

    def gradient(self, values, batches):
        """The gradient, where variables have these values.

        Args:
            values: List of tensors, one a variable.
            batches: Batches as `fit` takes them, whose losses are added.

        Returns:
            List of tensors.
        """
        return self._sum(self._gradient, (values,), batches)

    def times_hessian(self, values, vector, batches):
        """The product of the Hessian with a vector.

        Args:
            values: List of tensors, one a variable.
            vector: List of tensors, likewise.
            batches: Batches as `fit` takes them, whose losses are added.

        Returns:
            List of tensors.

        Raises:
            ValueError: If TensorFlow cannot differentiate an operation twice.
        """
        try:
            return self._sum(self._times_hessian, (values, vector), batches)
        except Exception as error:  # a LookupError, or AutoGraph's of it
            missing = re.search(r"registry has no entry for: (\w+)", str(error))
            if missing is None:
                raise
            raise ValueError(
                f"TensorFlow cannot differentiate {missing[1]} of "
                f"{self.network.name!r}. Score connections by first "
                'derivatives: with `SNIP`, or `ProsPr(order="first")`.'
            ) from error

    def _sum(self, derivative, args, batches):
        total = None
        for batch in batches:
            for part in self._parts(batch):
                found = derivative(*args, *part)
                total = found if total is None else add(found, total)
        return total

    def _parts(self, batch):
        """Pairs of some examples of a batch and their share of the loss."""
        size = len(tree.flatten(batch)[0])
        step = self.examples_at_once or size
        for start in range(0, size, step):
            stop = min(start + step, size)
            part = tree.map_structure(lambda t: t[start:stop], batch)
            yield part, 1.0 if self.adds_up else (stop - start) / size

    def _derivative(self, values, batch, share):
        x, labels, weights = keras.utils.unpack_x_y_sample_weight(batch)
        pairs = list(zip(self.variables, values, strict=True))
        with tf.GradientTape() as tape:
            tape.watch(values)
            with second_derivatives.exact():
                y, _ = substitution.outputs(
                    self.network, pairs, x, training=True
                )
            outputs = tree.map_structure(_precise, y)
            loss = share * self.loss(labels, outputs, weights)
        return _dense(tape.gradient(loss, values, unconnected_gradients="zero"))

    def _product(self, values, vector, batch, share):
        with tf.GradientTape() as tape:
            tape.watch(values)
            gradient = self._derivative(values, batch, share)
        return _dense(
            tape.gradient(
                gradient, values, vector, unconnected_gradients="zero"
            )
        )

    # Graphs of their own: TensorFlow warns of functions traced too often.
    @functools.cached_property
    def _gradient(self):
        return tf.function(functools.partial(self._derivative))

    @functools.cached_property
    def _times_hessian(self):
        return tf.function(functools.partial(self._product))


@dataclasses.dataclass(frozen=True, kw_only=True)
class ByGradient(OneShot):
    """Scores connections by derivatives of the loss.

    Args:
        examples_at_once: Integer, how many examples of a batch are in memory
            at once, or `None` for all. Derivatives are summed over such
            parts, which is exact if examples do not depend on each other.
            Batch normalization takes the statistics of a part, and dropout
            draws for each part: scores are then others.
    """

    examples_at_once: int | None = None

    def __post_init__(self):
        super().__post_init__()
        check_count("examples_at_once", self.examples_at_once, optional=True)

    def scoring(self, sparse, variables, request, temperature=1.0):
        """What is differentiated, by variables of a sparse network.

        Args:
            sparse: `SparseModel`.
            variables: List of variables of its network.
            request: `Request`.
            temperature: See `losses.tempered`.

        Returns:
            `Scoring`.
        """
        return Scoring(
            sparse.network,
            variables,
            request.fit.total_loss(temperature),
            self.examples_at_once,
            losses.adds_up(request.fit.loss),
        )


def add(ones, others, factor=1.0):
    """Lists of tensors: `factor * ones + others`.

    `others` is emptied, so that its memory is free for the sum.
    """
    return [factor * one + others.pop(0) for one in ones]


def _precise(output):
    dtype = keras.backend.result_type(output.dtype, "float32")
    return tf.cast(output, dtype)


def _dense(gradients):
    """As tensors, those of embeddings, too."""
    return [tf.convert_to_tensor(gradient) for gradient in gradients]


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
