"""Losses, and which loss and which accuracy fit a network and its labels."""

import dataclasses

import keras
from keras import tree

from rigl_tf._keras_compat import head_of
from rigl_tf._keras_compat import loss_weights_of


@keras.saving.register_keras_serializable(package="rigl_tf")
class SmoothedCrossEntropy(keras.losses.Loss):
    """Cross entropy with labels that are a little of every class.

    Args:
        smoothing: Float in [0, 1), what is taken from the label and given to
            all classes alike.

    Reference:
        [Szegedy et al., 2016](https://arxiv.org/abs/1512.00567), section 7.
    """

    from_logits = True

    def __init__(self, smoothing=0.1, name="loss", **kwargs):
        super().__init__(name=name, **kwargs)
        self.smoothing = smoothing

    def call(self, y_true, y_pred):
        labels = keras.ops.cast(y_true, "int32")
        return keras.losses.categorical_crossentropy(
            keras.ops.one_hot(labels, y_pred.shape[-1], dtype=y_pred.dtype),
            y_pred,
            from_logits=True,
            label_smoothing=self.smoothing,
        )

    def get_config(self):
        return {**super().get_config(), "smoothing": self.smoothing}


_OF_SOFTMAX = (
    SmoothedCrossEntropy,
    keras.losses.CategoricalCrossentropy,
    keras.losses.CategoricalFocalCrossentropy,
    keras.losses.SparseCategoricalCrossentropy,
)


def takes_logits_of_softmax(loss):
    """Whether a loss says that outputs are logits of a softmax."""
    return isinstance(loss, _OF_SOFTMAX) and loss.from_logits


class _Tempered(keras.losses.Loss):
    """A loss of logits that are divided by a number first."""

    def __init__(self, loss, temperature):
        super().__init__(loss.name, loss.reduction, loss.dtype)
        self.loss = loss
        self.temperature = temperature

    def call(self, y_true, y_pred):
        return self.loss.call(y_true, y_pred / self.temperature)


def tempered(loss, temperature):
    """A loss whose logits of a softmax are divided by a number.

    Args:
        loss: Loss, as `compile` takes it. Of several, only those are others
            that take logits of a softmax.
        temperature: Number above 0.

    Returns:
        Loss, as `compile` takes it.
    """
    return tree.map_structure(
        lambda one: (
            _Tempered(one, temperature) if takes_logits_of_softmax(one) else one
        ),
        loss,
    )


def adds_up(loss):
    """Whether a compiled loss is a sum over examples instead of a mean."""
    losses = tree.flatten(loss)
    return any(getattr(one, "reduction", None) == "sum" for one in losses)


@dataclasses.dataclass(frozen=True)
class Unknown:
    """The loss of a network that does not tell it.

    Attributes:
        problem: String, why it is not known.
    """

    problem: str


def of_network(network, labels):
    """The loss of a network: its own, or one that fits its outputs.

    A network that is not compiled gets a cross entropy if its last layer and
    the labels leave no doubt: of probabilities after a softmax or a sigmoid,
    else of logits, for integer labels and at least two outputs.

    Args:
        network: Built `keras.Model`.
        labels: `tf.TensorSpec` of a batch of labels, or a structure of them.

    Returns:
        Pair: the loss, as `compile` takes it, or `Unknown`; and the weights
        of the losses of several outputs, or `None`.
    """
    if network.compiled and network.loss is None:
        return Unknown(f"{network.name!r} is compiled without a loss."), None
    if network.compiled:
        return network.loss, loss_weights_of(network)
    head = head_of(network)
    if head is not None and not tree.is_nested(labels):
        outputs = network.output_shape
        loss = _for_head(_activation(head, outputs), outputs, labels)
        if loss is not None:
            return loss, None
    problem = (
        f"{network.name!r} is not compiled, and its last layer does not tell "
        f"the loss for {_described(labels)}."
    )
    return Unknown(problem), None


def _activation(head, outputs):
    """The name of what makes the outputs of the last layer, or `None`."""
    kind = type(head).__name__  # of a layer or an operation
    if kind == "Softmax" and head.axis not in (-1, len(outputs) - 1):
        return None  # not over classes
    if kind in ("Softmax", "Sigmoid"):
        return kind.lower()
    return getattr(getattr(head, "activation", None), "__name__", None)


def _for_head(activation, outputs, labels):
    """The cross entropy that fits, or `None`.

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


def accuracy(loss, labels, outputs):
    """The accuracy of what a loss is minimized for.

    Args:
        loss: Loss, as `compile` takes it.
        labels: `tf.TensorSpec`, or a structure of them.
        outputs: Function without arguments to the shape of the outputs, or to
            `None` if there are several.

    Returns:
        `keras.metrics.Metric`, or `None` for a regression or several outputs.
    """
    ones = tree.flatten(loss)
    if len(ones) != 1 or tree.is_nested(labels):
        return None
    (loss,) = ones
    kind = _kind(loss)
    if "binarycrossentropy" in kind or "binaryfocal" in kind:
        threshold = 0.0 if _takes_logits(loss) else 0.5
        return keras.metrics.BinaryAccuracy("accuracy", threshold=threshold)
    if "sparsecategorical" in kind:
        return keras.metrics.SparseCategoricalAccuracy("accuracy")
    if "categorical" in kind and not labels.dtype.is_integer:
        return keras.metrics.CategoricalAccuracy("accuracy")
    shape = outputs()
    if shape is not None and _are_classes(labels, shape):
        return keras.metrics.SparseCategoricalAccuracy("accuracy")
    if "categorical" in kind:
        return keras.metrics.CategoricalAccuracy("accuracy")
    return None


def check(loss, labels):
    """Raises a ValueError if a loss is unknown or not one of such labels."""
    if isinstance(loss, Unknown):
        raise ValueError(
            f"{loss.problem} Call `model.compile(optimizer, loss)` first."
        )
    for one, spec in _pairs(loss, labels):
        if "sparsecategorical" in _kind(one) and spec.dtype.is_floating:
            raise ValueError(
                "Sparse categorical cross entropy is of integer labels. "
                f"Received: {_described(spec)}. Make classes integers, as "
                "with `y.astype(int)`; for one-hot labels compile with "
                "`CategoricalCrossentropy`, for others with a loss of theirs."
            )


def total(loss, weights=None, output_names=None):
    """A compiled loss as a function, with all that `compile` allows.

    Args:
        loss: Loss, as `compile` takes it.
        weights: Weights of the losses of several outputs, or `None`.
        output_names: List of strings, if losses go by the names of outputs.

    Returns:
        Function of labels, outputs and weights of examples, or `None`, to a
        scalar.
    """
    model = keras.Model()  # without layers, for what Keras makes of losses
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
    """Pairs of a loss and the specification of its labels, if they tell."""
    if isinstance(loss, dict) and isinstance(labels, dict):
        return [(loss[name], labels[name]) for name in loss if name in labels]
    ones, specs = tree.flatten(loss), tree.flatten(labels)
    return zip(ones, specs, strict=True) if len(ones) == len(specs) else []


def _kind(loss):
    """The names of a loss and what it is derived from, run together."""
    if isinstance(loss, str):
        loss = keras.losses.get(loss)  # "bce" is one of its names
    if isinstance(loss, keras.losses.Loss):
        name = " ".join(kind.__name__ for kind in type(loss).__mro__)
    else:
        name = getattr(loss, "__name__", "")
    return name.replace("_", "").lower()


def _takes_logits(loss):
    if not isinstance(loss, keras.losses.Loss):
        return False  # as functions do by default
    return loss.get_config().get("from_logits", False)


def _are_classes(labels, outputs):
    """Whether labels are one integer where outputs are several numbers."""
    if not labels.dtype.is_integer or outputs[-1] in (1, None):
        return False
    return _same_shape(labels.shape, outputs[:-1]) or (
        _same_shape(labels.shape, (*outputs[:-1], 1))
    )


def _same_shape(one, two):
    """Whether two shapes may be the same, beyond the first dimension."""
    if one.rank is None:
        return False
    return one.rank == len(two) and all(
        a is None or b is None or a == b
        for a, b in zip(one[1:], two[1:], strict=True)
    )


def _described(labels):
    if tree.is_nested(labels):
        return "several kinds of labels"
    return f"labels of shape {labels.shape} and dtype {labels.dtype.name}"
