"""Derivatives of the loss of an untrained network."""

import dataclasses
import functools
import re
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import tree

from rigl_tf.modeling.sparse_model import SparseModel
from rigl_tf.tickets.base import SearchRequest
from rigl_tf.tickets.saliency import functional_call
from rigl_tf.tickets.saliency import second_derivatives
from rigl_tf.tickets.saliency.one_shot import OneShot
from rigl_tf.training import losses
from rigl_tf.utils.validation import check_count

_ZERO = tf.UnconnectedGradients.ZERO


@dataclasses.dataclass(frozen=True, eq=False)
class LossFunctional:
    """The mean loss of a batch as a differentiable function of variables.

    Normalization uses the statistics of the batch, and its moving averages do
    not change. Second derivatives include these statistics. Values that a
    layer treats as constants by definition, as in batch renormalization and
    spectral normalization, are constants here.

    Attributes:
        network: `keras.Model`.
        variables: List of variables to differentiate the loss with respect to.
        loss: Function from labels, outputs and sample weights to a scalar.
        examples_at_once: See `ByGradient`.
        is_sum: Boolean, whether the loss is a sum over examples, not a mean.
    """

    network: keras.Model
    variables: list
    loss: Callable
    examples_at_once: int | None = None
    is_sum: bool = False

    @property
    def values(self):
        """List of tensors, the values of the variables."""
        return [tf.convert_to_tensor(v) for v in self.variables]

    def gradient(self, values, batches):
        """Computes the gradient at the given values of the variables.

        Args:
            values: List of tensors, one for each variable.
            batches: Batches as `fit` takes them. Their losses are added.

        Returns:
            List of tensors.
        """
        return self._sum(self._gradient, (values,), batches)

    def times_hessian(self, values, vector, batches):
        """Computes the product of the Hessian and a vector.

        Args:
            values: List of tensors, one for each variable.
            vector: List of tensors, one for each variable.
            batches: Batches as `fit` takes them. Their losses are added.

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

    def _sum(self, derivative, args, batches) -> list[tf.Tensor]:
        total = []
        for batch in batches:
            for part in self._parts(batch):
                result = derivative(*args, *part)
                total = add(result, total) if total else result
        return total

    def _parts(self, batch):
        """Yields parts of a batch, with the share of the loss of each."""
        size = len(tree.flatten(batch)[0])
        step = self.examples_at_once or size
        for start in range(0, size, step):
            stop = min(start + step, size)
            part = tree.map_structure(lambda t: t[start:stop], batch)
            yield part, 1.0 if self.is_sum else (stop - start) / size

    def _derivative(self, values, batch, share):
        x, labels, weights = keras.utils.unpack_x_y_sample_weight(batch)
        pairs = list(zip(self.variables, values, strict=True))
        with tf.GradientTape() as tape:
            tape.watch(values)
            with second_derivatives.exact():
                y, _ = functional_call.call_with_values(
                    self.network, pairs, x, training=True
                )
            outputs = tree.map_structure(_precise, y)
            loss = share * self.loss(labels, outputs, weights)
        return _dense(tape.gradient(loss, values, unconnected_gradients=_ZERO))

    def _product(self, values, vector, batch, share):
        with tf.GradientTape() as tape:
            tape.watch(values)
            gradient = self._derivative(values, batch, share)
        return _dense(
            tape.gradient(gradient, values, vector, unconnected_gradients=_ZERO)
        )

    # One graph per object: TensorFlow warns about repeated tracing.
    @functools.cached_property
    def _gradient(self):
        return tf.function(functools.partial(self._derivative))

    @functools.cached_property
    def _times_hessian(self):
        return tf.function(functools.partial(self._product))


@dataclasses.dataclass(frozen=True, kw_only=True)
class ByGradient(OneShot):
    """Base class of finders that score with derivatives of the loss.

    Args:
        examples_at_once: Integer, the number of examples of a batch that are
            in memory at the same time, or `None` for all. Derivatives are
            summed over these parts. The sum is exact if examples do not
            depend on each other. Batch normalization uses the statistics of a
            part, and dropout draws a mask for each part, so the scores then
            differ.
    """

    examples_at_once: int | None = None

    def __post_init__(self):
        super().__post_init__()
        check_count("examples_at_once", self.examples_at_once, optional=True)

    def make_functional(
        self,
        sparse: SparseModel,
        variables: list[Any],
        request: SearchRequest,
        temperature: float = 1.0,
    ) -> LossFunctional:
        """Returns the `LossFunctional` of a sparse model.

        Args:
            sparse: `SparseModel`.
            variables: List of variables of its network.
            request: `SearchRequest`.
            temperature: See `losses.tempered`.
        """
        return LossFunctional(
            sparse.network,
            variables,
            request.trainer.loss_function(temperature),
            self.examples_at_once,
            losses.is_sum_over_examples(request.trainer.loss),
        )


def add(ones, others, factor=1.0):
    """Returns `factor * ones + others` for two lists of tensors.

    The function empties `others`, so that the sum can use its memory.
    """
    return [factor * one + others.pop(0) for one in ones]


def _precise(output):
    dtype = keras.backend.result_type(output.dtype, "float32")
    return tf.cast(output, dtype)


def _dense(gradients):
    """Converts gradients to dense tensors; embeddings have sparse ones."""
    return [tf.convert_to_tensor(gradient) for gradient in gradients]


def first_batches(request, num):
    """Returns the first batches of the training data.

    Raises:
        ValueError: If an epoch has fewer than `num` batches.
    """
    available = request.dataset.steps_per_epoch
    if num > available:
        raise ValueError(
            f"Scores need {num} batches in an epoch. Received: data with "
            f"{available} batches. Use fewer batches, or make batches smaller."
        )
    return list(request.dataset.train(request.seed).take(num))
