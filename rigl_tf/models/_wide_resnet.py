"""Wide residual networks."""

import keras
from keras import layers

from rigl_tf.models.building_blocks import LayerFactory
from rigl_tf.typing import Shape
from rigl_tf.utils.shapes import check_shape
from rigl_tf.utils.validation import check_count

_STEM_CHANNELS = 16
_STRIDES = (1, 2, 2)  # strides of the first block in each of three groups


def wide_resnet(
    input_shape: Shape,
    num_classes: int,
    depth: int = 22,
    width: int = 2,
    dropout: float = 0.3,
    affine: bool = True,
    bias: bool = True,
    initializer: str = "he_normal_fan_out",
    head_initializer: str = "torch_uniform",
) -> keras.Model:
    """Builds a WideResNet of pre-activation blocks; by default WRN-22-2.

    A residual block is BN, ReLU, 3x3 convolution, BN, ReLU, dropout, 3x3
    convolution. If a block changes the number of channels, the 1x1 shortcut
    has the same input as the first convolution, after BN and ReLU; otherwise,
    the shortcut is the identity.

    Strided convolutions are padded by one pixel on each side, as in the
    reference code.

    Layers with kernels are named `conv1`, `block<group>_<index>_conv1`,
    `..._conv2` and `..._shortcut`, with groups from 1 and indices from 0, and
    `logits`.

    Args:
        input_shape: Tuple of positive integers, (height, width, channels).
        num_classes: Integer, at least 1.
        depth: Integer, 6n + 4 for n >= 1: layers, with n blocks in each group.
        width: Integer, at least 1. Groups have 16, 32 and 64 times `width`
            channels.
        dropout: Float in [0, 1), dropout rate within a block.
        affine: Boolean, whether BN has a learnt scale and offset.
        bias: Boolean, whether the logits have a bias.
        initializer: Initializer of kernels: a key of
            `rigl_tf.models.initializers.INITIALIZERS`, or a function that
            returns a `keras.initializers.Initializer`.
        head_initializer: Initializer of the kernel of the logits.

    Returns:
        `keras.Model` from (batch, *input_shape) to logits, (batch,
        num_classes). WRN-22-2 has 1,079,642 trainable parameters on 32x32x3
        pixels and 10 classes.

    Raises:
        ValueError: If an argument is not as described.

    Reference:
        [Zagoruyko & Komodakis, 2016](https://arxiv.org/abs/1605.07146).
    """
    check_shape("input_shape", input_shape, num=3)
    check_count("num_classes", num_classes)
    check_count("depth", depth)
    check_count("width", width)
    if depth < 10 or depth % 6 != 4:
        raise ValueError(
            "`depth` must be 6n + 4 with n >= 1, such as 10, 16, 22 or 28. "
            f"Received: depth={depth}."
        )
    if not 0 <= dropout < 1:
        raise ValueError(
            "`dropout` is a fraction of the activations and must be in "
            f"[0, 1). Received: dropout={dropout}."
        )
    factory = LayerFactory(initializer, head_initializer, affine, bias)
    inputs = keras.Input(input_shape)
    x = factory.conv(inputs, _STEM_CHANNELS, 3, "conv1")
    for group, first_stride in enumerate(_STRIDES, start=1):
        channels = _STEM_CHANNELS * width * 2 ** (group - 1)
        for index in range((depth - 4) // 6):
            stride = first_stride if index == 0 else 1
            name = f"block{group}_{index}"
            x = _block(factory, x, channels, stride, dropout, name)
    x = factory.norm_relu(x, "bn", "relu")
    outputs = factory.logits(x, num_classes)
    return keras.Model(inputs, outputs, name=f"wide_resnet_{depth}_{width}")


def _block(factory, x, channels, stride, dropout, name):
    shortcut = x
    x = factory.norm_relu(x, f"{name}_bn1", f"{name}_relu1")
    if shortcut.shape[-1] != channels:
        shortcut = factory.conv(x, channels, 1, f"{name}_shortcut", stride)
    x = factory.conv(x, channels, 3, f"{name}_conv1", stride)
    x = factory.norm_relu(x, f"{name}_bn2", f"{name}_relu2")
    if dropout:
        x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
    x = factory.conv(x, channels, 3, f"{name}_conv2")
    return layers.Add(name=f"{name}_add")([x, shortcut])
