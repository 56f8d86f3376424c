"""LeNet-5."""

import keras
from keras import layers

from rigl_tf.models import initializers
from rigl_tf.models.building_blocks import Parts
from rigl_tf.utils.shapes import check_shape
from rigl_tf.utils.validation import check_count

_SMALLEST = 16  # pixels; less does not survive two convolutions and poolings


def lenet5(
    input_shape=(28, 28, 1),
    num_classes=10,
    channels=(6, 16),
    hidden=(120, 84),
    bias=True,
    initializer="glorot_uniform",
):
    """Builds the LeNet-5 of the original RigL repository.

    It differs from LeCun's in ReLU, max pooling, full connections between the
    convolutions and input that is not padded to 32x32. Layers with kernels are
    named `conv1`, `conv2`, `dense1`, `dense2` and `logits`.

    Args:
        input_shape: Tuple of integers, (height, width, channels), with at
            least 16x16 pixels.
        num_classes: Integer, at least 1.
        channels: Pair of positive integers, of both convolutions.
        hidden: Tuple of positive integers, units of each hidden layer.
        bias: Whether layers have biases.
        initializer: How kernels begin; see `rigl_tf.models.initializers`.

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
    check_shape("channels", channels, num=2)
    check_shape("hidden", hidden)
    parts = Parts(initializer, bias=bias)
    x = inputs = keras.Input(input_shape)
    for number, size in enumerate(channels, start=1):
        x = layers.Conv2D(
            size,
            5,
            activation="relu",
            use_bias=bias,
            kernel_initializer=initializers.initializer(initializer),
            name=f"conv{number}",
        )(x)
        x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    for number, units in enumerate(hidden, start=1):
        x = parts.dense(x, units, f"dense{number}", activation="relu")
    outputs = parts.logits(x, num_classes)
    return keras.Model(inputs, outputs, name="lenet5")
