"""Losses, and the choice of a loss and an accuracy for a network."""

import dataclasses
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import tree

from rigl_tf._keras_compat import head_of
from rigl_tf._keras_compat import loss_weights_of


@keras.saving.register_keras_serializable(package="rigl_tf")
class SmoothedCrossEntropy(keras.losses.Loss):
    """Cross entropy of integer labels and logits, with label smoothing.

    Args:
        smoothing: Float in [0, 1), the probability that is moved from the
            label and spread evenly over all classes.

    Reference:
        [Szegedy et al., 2016](https://arxiv.org/abs/1512.00567), section 7.
    """

    from_logits = True

    def __init__(
        self, smoothing: float = 0.1, name: str = "loss", **kwargs: Any
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.smoothing = smoothing

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        labels = keras.ops.cast(y_true, "int32")
        return keras.losses.categorical_crossentropy(
            keras.ops.one_hot(labels, y_pred.shape[-1], dtype=y_pred.dtype),
            y_pred,
            from_logits=True,
            label_smoothing=self.smoothing,
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "smoothing": self.smoothing}


_SOFTMAX_LOSSES = (
    SmoothedCrossEntropy,
    keras.losses.CategoricalCrossentropy,
    keras.losses.CategoricalFocalCrossentropy,
    keras.losses.SparseCategoricalCrossentropy,
)


def has_softmax_logits(loss: Any) -> bool:
    """Returns whether a loss expects logits of a softmax."""
    return isinstance(loss, _SOFTMAX_LOSSES) and loss.from_logits


class _Tempered(keras.losses.Loss):
    """A loss that divides the logits by a number first."""

    def __init__(self, loss, temperature):
        super().__init__(loss.name, loss.reduction, loss.dtype)
        self.loss = loss
        self.temperature = temperature

    def call(self, y_true, y_pred):
        return self.loss.call(y_true, y_pred / self.temperature)


def tempered(loss: Any, temperature: float) -> Any:
    """Returns a loss that divides the logits of a softmax by a number.

    Args:
        loss: Loss or structure of losses, as for `compile`. Losses that do
            not take logits of a softmax do not change.
        temperature: Number above 0.

    Returns:
        Loss or structure of losses, as for `compile`.
    """
    return tree.map_structure(
        lambda one: (
            _Tempered(one, temperature) if has_softmax_logits(one) else one
        ),
        loss,
    )


def is_sum_over_examples(loss: Any) -> bool:
    """Returns whether a compiled loss is a sum over examples, not a mean."""
    losses = tree.flatten(loss)
    return any(getattr(one, "reduction", None) == "sum" for one in losses)


@dataclasses.dataclass(frozen=True)
class UnknownLoss:
    """Placeholder for the loss of a network whose loss is unknown.

    Attributes:
        problem: String, the reason why the loss is unknown.
    """

    problem: str


def infer_loss(network: keras.Model, labels: Any) -> tuple[Any, Any]:
    """Returns the compiled loss of a network, or infers a loss.

    A network that is not compiled gets a cross entropy if its last layer and
    the labels determine one: a cross entropy of probabilities after a softmax
    or a sigmoid; otherwise, with integer labels and at least two outputs, a
    cross entropy of logits.

    Args:
        network: Built `keras.Model`.
        labels: `tf.TensorSpec` of a batch of labels, or a structure of specs.

    Returns:
        Pair: the loss, as `compile` takes it, or `UnknownLoss`; and the loss
        weights of several outputs, or `None`.
    """
    if network.compiled and network.loss is None:
        return UnknownLoss(
            f"{network.name!r} is compiled without a loss."
        ), None
    if network.compiled:
        return network.loss, loss_weights_of(network)
    head = head_of(network)
    if head is not None and not tree.is_nested(labels):
        outputs = network.output_shape
        loss = _for_head(_activation(head, outputs), outputs, labels)
        if loss is not None:
            return loss, None
    problem = (
        f"{network.name!r} is not compiled, and its last layer does not "
        f"determine the loss for {_describe(labels)}."
    )
    return UnknownLoss(problem), None


def _activation(head, outputs):
    """Returns the name of the activation of the last layer, or `None`."""
    is_softmax = type(head).__name__ == "Softmax"
    if is_softmax and head.axis not in (-1, len(outputs) - 1):
        return None  # not over classes
    return activation_name(head)


def activation_name(head: Any) -> str | None:
    """Returns the name of the activation of a layer or an operation."""
    kind = type(head).__name__
    if kind in ("Softmax", "Sigmoid"):
        return kind.lower()
    return getattr(getattr(head, "activation", None), "__name__", None)


def _for_head(activation, outputs, labels):
    """Returns the cross entropy that fits the last layer, or `None`.

    Args:
        activation: String or `None`.
        outputs: Shape of the outputs.
        labels: `tf.TensorSpec`.
    """
    is_like_outputs = _same_shape(labels.shape, outputs)
    if activation == "sigmoid":
        one_each = outputs[-1] == 1 and _same_shape(labels.shape, outputs[:-1])
        fits = is_like_outputs or one_each
        return keras.losses.BinaryCrossentropy() if fits else None
    if activation not in ("softmax", "linear") or outputs[-1] in (1, None):
        return None
    if activation == "softmax" and is_like_outputs:
        return keras.losses.CategoricalCrossentropy()
    if not _are_classes(labels, outputs):
        return None
    return keras.losses.SparseCategoricalCrossentropy(
        from_logits=activation == "linear"
    )


def accuracy_metric(
    loss: Any, labels: Any, outputs: Callable[[], Any]
) -> keras.metrics.Metric | None:
    """Returns the accuracy metric that fits a loss.

    Args:
        loss: Loss, as `compile` takes it.
        labels: `tf.TensorSpec`, or a structure of specs.
        outputs: Function without arguments that returns the shape of the
            outputs, or `None` for several outputs.

    Returns:
        `keras.metrics.Metric`, or `None` for a regression or several outputs.
    """
    ones = tree.flatten(loss)
    if len(ones) != 1 or tree.is_nested(labels):
        return None
    (loss,) = ones
    names = _class_names(loss)
    if "binarycrossentropy" in names or "binaryfocal" in names:
        threshold = 0.0 if _takes_logits(loss) else 0.5
        return keras.metrics.BinaryAccuracy("accuracy", threshold=threshold)
    if "sparsecategorical" in names:
        return keras.metrics.SparseCategoricalAccuracy("accuracy")
    if "categorical" in names and not labels.dtype.is_integer:
        return keras.metrics.CategoricalAccuracy("accuracy")
    shape = outputs()
    if shape is not None and _are_classes(labels, shape):
        return keras.metrics.SparseCategoricalAccuracy("accuracy")
    if "categorical" in names:
        return keras.metrics.CategoricalAccuracy("accuracy")
    return None


def check_loss(loss: Any, labels: Any) -> None:
    """Raises a ValueError if a loss is unknown or does not fit the labels."""
    if isinstance(loss, UnknownLoss):
        raise ValueError(
            f"{loss.problem} Call `model.compile(optimizer, loss)` first."
        )
    for one, spec in _pairs(loss, labels):
        if "sparsecategorical" in _class_names(one) and spec.dtype.is_floating:
            raise ValueError(
                "Sparse categorical cross entropy takes integer labels. "
                f"Received: {_describe(spec)}. Convert classes to integers, "
                "for example with `y.astype(int)`; for one-hot labels compile "
                "with `CategoricalCrossentropy`, for other labels with a loss "
                "that takes them."
            )


def as_function(
    loss: Any, weights: Any = None, output_names: Sequence[str] | None = None
) -> Callable:
    """Converts any loss that `compile` takes to a function.

    Args:
        loss: Loss, as `compile` takes it.
        weights: Loss weights of several outputs, or `None`.
        output_names: List of strings, needed for a dictionary of losses.

    Returns:
        Function from labels, outputs and sample weights (or `None`) to a
        scalar.
    """
    model = keras.Model()  # without layers: `compute_loss` combines losses
    model.output_names = output_names
    model.compile(optimizer=None, loss=loss, loss_weights=weights)

    def scalar(labels, outputs, sample_weight=None):
        return keras.ops.mean(
            model.compute_loss(
                y=labels, y_pred=outputs, sample_weight=sample_weight
            )
        )

    return scalar


def _pairs(loss, labels):
    """Returns pairs of a loss and the spec of its labels, if they match."""
    if isinstance(loss, dict) and isinstance(labels, dict):
        return [(loss[name], labels[name]) for name in loss if name in labels]
    ones, specs = tree.flatten(loss), tree.flatten(labels)
    return zip(ones, specs, strict=True) if len(ones) == len(specs) else []


def _class_names(loss):
    """Returns the names of a loss and its base classes in one string."""
    if isinstance(loss, str):
        loss = keras.losses.get(loss)  # also for aliases such as "bce"
    if isinstance(loss, keras.losses.Loss):
        name = " ".join(cls.__name__ for cls in type(loss).__mro__)
    else:
        name = getattr(loss, "__name__", "")
    return name.replace("_", "").lower()


def _takes_logits(loss):
    if not isinstance(loss, keras.losses.Loss):
        return False  # the default of Keras's loss functions
    return loss.get_config().get("from_logits", False)


def _are_classes(labels, outputs):
    """Returns whether labels are class numbers for the last dimension."""
    if not labels.dtype.is_integer or outputs[-1] in (1, None):
        return False
    return _same_shape(labels.shape, outputs[:-1]) or (
        _same_shape(labels.shape, (*outputs[:-1], 1))
    )


def _same_shape(one, two):
    """Returns whether two shapes are compatible, apart from the batch."""
    if one.rank is None:
        return False
    return one.rank == len(two) and all(
        a is None or b is None or a == b
        for a, b in zip(one[1:], two[1:], strict=True)
    )


def _describe(labels):
    if tree.is_nested(labels):
        return "labels of several outputs"
    return f"labels of shape {labels.shape} and dtype {labels.dtype.name}"
