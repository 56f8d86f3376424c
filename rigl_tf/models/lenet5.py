"""LeNet-5."""

import keras
from keras import layers

from rigl_tf.checks import check_count
from rigl_tf.models.mlp import check_shape

_SMALLEST = 16  # pixels; less does not survive two convolutions and poolings


def lenet5(input_shape=(28, 28, 1), num_classes=10):
    """Builds the LeNet-5 of the original RigL repository.

    It differs from LeCun's in ReLU, max pooling, full connections between the
    convolutions and input that is not padded to 32x32. Layers with kernels are
    named `conv1`, `conv2`, `dense1`, `dense2` and `logits`.

    Args:
        input_shape: Tuple of integers, (height, width, channels), with at
            least 16x16 pixels.
        num_classes: Integer, at least 1.

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
    if min(input_shape[:2]) < _SMALLEST:
        raise ValueError(
            f"`input_shape` must have at least {_SMALLEST}x{_SMALLEST} "
            f"pixels. Received: input_shape={tuple(input_shape)}. Enlarge "
            "the images, or use `mlp` or `wide_resnet`."
        )
    inputs = keras.Input(input_shape)
    x = layers.Conv2D(6, 5, activation="relu", name="conv1")(inputs)
    x = layers.MaxPooling2D(2, name="pool1")(x)
    x = layers.Conv2D(16, 5, activation="relu", name="conv2")(x)
    x = layers.MaxPooling2D(2, name="pool2")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(120, activation="relu", name="dense1")(x)
    x = layers.Dense(84, activation="relu", name="dense2")(x)
    outputs = layers.Dense(num_classes, name="logits")(x)
    return keras.Model(inputs, outputs, name="lenet5")
