"""Fully connected networks, such as LeNet-300-100."""

from collections.abc import Sequence

import keras
from keras import layers

from rigl_tf.models.building_blocks import LayerFactory
from rigl_tf.typing import Shape
from rigl_tf.utils.shapes import check_shape
from rigl_tf.utils.validation import check_count


def mlp(
    input_shape: Shape,
    num_classes: int,
    hidden: Sequence[int] = (300, 100),
    bias: bool = True,
    initializer: str = "glorot_uniform",
) -> keras.Model:
    """Builds a fully connected ReLU network; by default LeNet-300-100.

    Layers with kernels are named `dense1`, `dense2`, ... and `logits`.

    Args:
        input_shape: Tuple of positive integers, the shape of one example.
        num_classes: Integer, at least 1.
        hidden: Tuple of positive integers, units of each hidden layer. May
            be empty.
        bias: Boolean, whether layers have biases.
        initializer: Initializer of kernels: a key of
            `rigl_tf.models.initializers.INITIALIZERS`, or a function that
            returns a `keras.initializers.Initializer`.

    Returns:
        `keras.Model` from (batch, *input_shape) to logits, (batch,
        num_classes). On 28x28 pixels and 10 classes, LeNet-300-100 has
        266,610 parameters.

    Raises:
        ValueError: If an argument is not as described.

    Reference:
        [LeCun et al., 1998](https://doi.org/10.1109/5.726791).

    Example:

    >>> rigl_tf.models.mlp((8, 8, 1), 10).count_params() > 0
    True
    """
    check_shape("input_shape", input_shape)
    check_count("num_classes", num_classes)
    check_shape("hidden", hidden)
    factory = LayerFactory(initializer, bias=bias)
    inputs = keras.Input(input_shape)
    x = layers.Flatten(name="flatten")(inputs)
    for number, units in enumerate(hidden, start=1):
        x = factory.dense(x, units, f"dense{number}", activation="relu")
    outputs = factory.logits(x, num_classes)
    return keras.Model(inputs, outputs, name="mlp")
