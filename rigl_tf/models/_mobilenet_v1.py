"""MobileNet, version 1."""

import keras

from rigl_tf.models.building_blocks import LayerFactory
from rigl_tf.typing import Shape
from rigl_tf.utils.shapes import check_shape
from rigl_tf.utils.validation import check_count
from rigl_tf.utils.validation import check_number

# Channels and stride of each block.
_BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *[(512, 1)] * 5,
    (1024, 2),
    (1024, 1),
)


def mobilenet_v1(
    input_shape: Shape,
    num_classes: int,
    width: float = 1.0,
    affine: bool = True,
    bias: bool = True,
    initializer: str = "he_normal",
) -> keras.Model:
    """Builds MobileNet-v1.

    The network is a 3x3 convolution with stride 2 and 13 blocks of a 3x3
    depthwise and a 1x1 convolution, each with BN and ReLU.

    Layers with kernels are named `conv1`, `block<number>_depthwise`,
    `block<number>_conv`, with numbers from 1, and `logits`.

    Args:
        input_shape: Tuple of positive integers, (height, width, channels).
        num_classes: Integer, at least 1.
        width: Number above 0, factor of the number of channels, which is then
            rounded to a multiple of 8.
        affine: Boolean, whether BN has a learnt scale and offset.
        bias: Boolean, whether the logits have a bias.
        initializer: Initializer of kernels: a key of
            `rigl_tf.models.initializers.INITIALIZERS`, or a function that
            returns a `keras.initializers.Initializer`.

    Returns:
        `keras.Model` from (batch, *input_shape) to logits, (batch,
        num_classes). With 1,000 classes, 4,231,976 trainable parameters.

    Raises:
        ValueError: If an argument is not as described.

    Reference:
        [Howard et al., 2017](https://arxiv.org/abs/1704.04861), Table 1.
    """
    check_shape("input_shape", input_shape, num=3)
    check_count("num_classes", num_classes)
    check_number("width", width, "(0, inf)")
    factory = LayerFactory(initializer, affine=affine, bias=bias)
    inputs = keras.Input(input_shape)
    x = factory.conv(inputs, scale_channels(32, width), 3, "conv1", stride=2)
    x = factory.norm_relu(x, "bn1", "relu1")
    for number, (channels, stride) in enumerate(_BLOCKS, start=1):
        name = f"block{number}"
        x = factory.depthwise(x, 3, f"{name}_depthwise", stride)
        x = factory.norm_relu(x, f"{name}_bn1", f"{name}_relu1")
        x = factory.conv(x, scale_channels(channels, width), 1, f"{name}_conv")
        x = factory.norm_relu(x, f"{name}_bn2", f"{name}_relu2")
    outputs = factory.logits(x, num_classes)
    return keras.Model(inputs, outputs, name="mobilenet_v1")


def scale_channels(channels, width):
    """Rounds channels times width to a multiple of 8, at least 8."""
    return max(int(channels * width + 4) // 8 * 8, 8)
