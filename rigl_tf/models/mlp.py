"""Fully connected networks, LeNet-300-100 among them."""

import keras
from keras import layers

from rigl_tf.checks import check_count


def mlp(input_shape, num_classes, hidden=(300, 100)):
    """Builds a fully connected ReLU network; by default LeNet-300-100.

    Layers with kernels are named `dense1`, `dense2`, ... and `logits`.

    Args:
        input_shape: Tuple of positive integers, the shape of one example.
        num_classes: Integer, at least 1.
        hidden: Tuple of positive integers, units of each hidden layer. May
            be empty.

    Returns:
        `keras.Model` from (batch, *input_shape) to logits, (batch,
        num_classes). On 28x28 pixels and 10 classes, LeNet-300-100 has
        266,610 parameters.

    Raises:
        ValueError: If an argument is not as described.

    Reference:
        [LeCun et al., 1998](https://doi.org/10.1109/5.726791).
    """
    check_shape("input_shape", input_shape)
    check_count("num_classes", num_classes)
    check_shape("hidden", hidden)
    inputs = keras.Input(input_shape)
    x = layers.Flatten(name="flatten")(inputs)
    for number, units in enumerate(hidden, start=1):
        x = layers.Dense(units, activation="relu", name=f"dense{number}")(x)
    outputs = layers.Dense(num_classes, name="logits")(x)
    return keras.Model(inputs, outputs, name="mlp")


def check_shape(name, shape, num=None):
    """Raises a ValueError unless `shape` has `num` positive integers."""
    if not isinstance(shape, tuple | list):
        raise ValueError(
            f"`{name}` must be a tuple of integers. "
            f"Received: {name}={shape!r}. For a single one, write "
            f"({shape!r},)."
        )
    if num is not None and len(shape) != num:
        raise ValueError(
            f"`{name}` must have {num} entries"
            f"{': height, width, channels' if num == 3 else ''}. "
            f"Received: {name}={shape}."
        )
    for size in shape:
        if not _is_size(size):
            raise ValueError(
                f"`{name}` must consist of integers of at least 1. "
                f"Received: {name}={shape}."
            )


def _is_size(size):
    is_integer = isinstance(size, int) and not isinstance(size, bool)
    return is_integer and size >= 1
