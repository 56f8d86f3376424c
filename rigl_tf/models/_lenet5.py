"""LeNet-5."""

from collections.abc import Sequence

import keras
from keras import layers

from rigl_tf.models import initializers
from rigl_tf.models.building_blocks import LayerFactory
from rigl_tf.typing import Shape
from rigl_tf.utils.shapes import check_shape
from rigl_tf.utils.validation import check_count

_MIN_SIZE = 16  # pixels, for two convolutions and poolings


def lenet5(
    input_shape: Shape = (28, 28, 1),
    num_classes: int = 10,
    channels: Sequence[int] = (6, 16),
    hidden: Sequence[int] = (120, 84),
    bias: bool = True,
    initializer: str = "glorot_uniform",
) -> keras.Model:
    """Builds the LeNet-5 of the original RigL repository.

    Differences from LeCun's network are ReLU, max pooling, full connections
    between the convolutions, and an input without padding to 32x32. Layers with
    kernels are named `conv1`, `conv2`, `dense1`, `dense2` and `logits`.

    Args:
        input_shape: Tuple of integers, (height, width, channels), with at
            least 16x16 pixels.
        num_classes: Integer, at least 1.
        channels: Pair of positive integers, channels of the convolutions.
        hidden: Tuple of positive integers, units of each hidden layer.
        bias: Boolean, whether layers have biases.
        initializer: Initializer of kernels: a key of
            `rigl_tf.models.initializers.INITIALIZERS`, or a function that
            returns a `keras.initializers.Initializer`.

    Returns:
        `keras.Model` from (batch, *input_shape) to logits, (batch,
        num_classes). By default, 44,190 connections and 236 biases.

    Raises:
        ValueError: If an argument is not as described.

    Reference:
        [Evci et al., 2020](https://github.com/google-research/rigl),
        `rigl/rigl_tf2/networks.py`.
    """
    check_shape("input_shape", input_shape, num=3)
    check_count("num_classes", num_classes)
    if min(input_shape[:2]) < _MIN_SIZE:
        raise ValueError(
            f"`input_shape` must have at least {_MIN_SIZE}x{_MIN_SIZE} "
            f"pixels. Received: input_shape={tuple(input_shape)}. Enlarge "
            "the images, or use `mlp` or `wide_resnet`."
        )
    check_shape("channels", channels, num=2)
    check_shape("hidden", hidden)
    factory = LayerFactory(initializer, bias=bias)
    x = inputs = keras.Input(input_shape)
    for number, size in enumerate(channels, start=1):
        x = layers.Conv2D(
            size,
            5,
            activation="relu",
            use_bias=bias,
            kernel_initializer=initializers.make_initializer(initializer),
            name=f"conv{number}",
        )(x)
        x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    for number, units in enumerate(hidden, start=1):
        x = factory.dense(x, units, f"dense{number}", activation="relu")
    outputs = factory.logits(x, num_classes)
    return keras.Model(inputs, outputs, name="lenet5")
