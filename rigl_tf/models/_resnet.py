"""Residual networks for small images."""

import keras
from keras import layers

from rigl_tf.models.building_blocks import LayerFactory
from rigl_tf.typing import Shape
from rigl_tf.utils.shapes import check_shape
from rigl_tf.utils.validation import check_count


def resnet(
    input_shape: Shape,
    num_classes: int,
    depth: int = 20,
    channels: int = 16,
    affine: bool = True,
    bias: bool = True,
    initializer: str = "he_normal",
) -> keras.Model:
    """Builds a residual network of 6n + 2 layers; by default ResNet-20.

    A residual block is 3x3 convolution, BN, ReLU, 3x3 convolution, BN, and
    ReLU after the shortcut is added. Where the block halves the image and
    doubles the channels, the shortcut takes every second pixel and adds
    channels of zeros, one half before and one half after the others. Shortcuts
    have no kernel.

    Strided convolutions are padded by one pixel on each side, as in the
    reference code.

    Layers with kernels are named `conv1`, `block<group>_<index>_conv1`,
    `..._conv2`, with groups from 1 and indices from 0, and `logits`.

    Args:
        input_shape: Tuple of positive integers, (height, width, channels).
        num_classes: Integer, at least 1.
        depth: Integer, 6n + 2 for n >= 1.
        channels: Even integer, at least 2, channels of the first group. The
            next groups have twice and four times as many.
        affine: Boolean, whether BN has a learnt scale and offset. Rare Gems
            uses `False`.
        bias: Boolean, whether the logits have a bias. Rare Gems uses `False`.
        initializer: Initializer of kernels: a key of
            `rigl_tf.models.initializers.INITIALIZERS`, or a function that
            returns a `keras.initializers.Initializer`.

    Returns:
        `keras.Model` from (batch, *input_shape) to logits, (batch,
        num_classes). ResNet-20 has 268,336 weights in kernels on 32x32x3
        pixels and 10 classes.

    Raises:
        ValueError: If an argument is not as described.

    Reference:
        [He et al., 2016](https://arxiv.org/abs/1512.03385), section 4.2.
    """
    check_shape("input_shape", input_shape, num=3)
    check_count("num_classes", num_classes)
    check_count("depth", depth)
    check_count("channels", channels)
    if depth < 8 or depth % 6 != 2:
        raise ValueError(
            "`depth` must be 6n + 2 with n >= 1, such as 8, 20, 32 or 56. "
            f"Received: depth={depth}."
        )
    if channels % 2:
        raise ValueError(
            f"`channels` must be even. Received: channels={channels}."
        )
    factory = LayerFactory(initializer, affine=affine, bias=bias)
    inputs = keras.Input(input_shape)
    x = factory.conv(inputs, channels, 3, "conv1")
    x = factory.norm_relu(x, "bn1", "relu1")
    for group in (1, 2, 3):
        for index in range((depth - 2) // 6):
            stride = 2 if group > 1 and index == 0 else 1
            name = f"block{group}_{index}"
            x = _block(factory, x, channels * 2 ** (group - 1), stride, name)
    outputs = factory.logits(x, num_classes)
    return keras.Model(inputs, outputs, name=f"resnet_{depth}")


def _block(factory, x, channels, stride, name):
    shortcut = x
    if stride > 1:
        shortcut = layers.MaxPooling2D(1, stride, name=f"{name}_subsample")(x)
        new = channels - x.shape[-1]
        shortcut = PadChannels(new // 2, name=f"{name}_pad_channels")(shortcut)
    x = factory.conv(x, channels, 3, f"{name}_conv1", stride)
    x = factory.norm_relu(x, f"{name}_bn1", f"{name}_relu1")
    x = factory.norm(
        factory.conv(x, channels, 3, f"{name}_conv2"), f"{name}_bn2"
    )
    x = layers.Add(name=f"{name}_add")([x, shortcut])
    return layers.ReLU(name=f"{name}_relu2")(x)


@keras.saving.register_keras_serializable(package="rigl_tf")
class PadChannels(layers.Layer):
    """Adds channels of zeros before and after the channels of the input.

    Args:
        padding: Integer, channels to add on each side.
    """

    def __init__(self, padding, **kwargs):
        super().__init__(**kwargs)
        self.padding = padding

    def call(self, inputs):
        sides = [[0, 0]] * (len(inputs.shape) - 1)
        return keras.ops.pad(inputs, [*sides, [self.padding] * 2])

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] + 2 * self.padding)

    def get_config(self):
        return {**super().get_config(), "padding": self.padding}
