"""Residual networks for small pictures."""

import keras
from keras import layers

from rigl_tf.checks import check_count
from rigl_tf.models.mlp import check_shape


def resnet(
    input_shape, num_classes, depth=20, channels=16, affine=True, bias=True
):
    """Builds a residual network of 6n + 2 layers; by default ResNet-20.

    A residual block is 3x3 convolution, BN, ReLU, 3x3 convolution, BN, and
    ReLU after the shortcut is added. Where it halves the picture and doubles
    the channels, the shortcut takes every second pixel and has zeros for the
    new channels, half of them before and half after the others: no kernel.

    Strided convolutions are padded by one pixel on each side, as in the
    reference code.

    Layers with kernels are named `conv1`, `block<group>_<index>_conv1`,
    `..._conv2`, with groups from 1 and indices from 0, and `logits`.

    Args:
        input_shape: Tuple of positive integers, (height, width, channels).
        num_classes: Integer, at least 1.
        depth: Integer, 6n + 2 for n >= 1.
        channels: Even integer, at least 2, of the first group; the next ones
            have twice and four times as many.
        affine: Whether BN has a learnt scale and offset. Rare Gems has none.
        bias: Whether the logits have a bias. Those of Rare Gems have none.

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
    inputs = keras.Input(input_shape)
    x = _conv(channels, "conv1")(inputs)
    x = layers.ReLU(name="relu1")(_norm(affine, "bn1")(x))
    for group in (1, 2, 3):
        for index in range((depth - 2) // 6):
            stride = 2 if group > 1 and index == 0 else 1
            name = f"block{group}_{index}"
            x = _block(x, channels * 2 ** (group - 1), stride, affine, name)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    outputs = layers.Dense(
        num_classes,
        use_bias=bias,
        kernel_initializer="he_normal",
        name="logits",
    )(x)
    return keras.Model(inputs, outputs, name=f"resnet_{depth}")


def _block(x, channels, stride, affine, name):
    shortcut = x
    if stride > 1:
        shortcut = layers.MaxPooling2D(1, stride, name=f"{name}_subsample")(x)
        new = channels - x.shape[-1]
        shortcut = PadChannels(new // 2, name=f"{name}_pad_channels")(shortcut)
        x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
    x = _conv(channels, f"{name}_conv1", stride)(x)
    x = layers.ReLU(name=f"{name}_relu1")(_norm(affine, f"{name}_bn1")(x))
    x = _norm(affine, f"{name}_bn2")(_conv(channels, f"{name}_conv2")(x))
    x = layers.Add(name=f"{name}_add")([x, shortcut])
    return layers.ReLU(name=f"{name}_relu2")(x)


def _conv(channels, name, stride=1):
    return layers.Conv2D(
        channels,
        3,
        strides=stride,
        padding="same" if stride == 1 else "valid",
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )


def _norm(affine, name):
    return layers.BatchNormalization(
        momentum=0.9, epsilon=1e-5, center=affine, scale=affine, name=name
    )


@keras.saving.register_keras_serializable(package="rigl_tf")
class PadChannels(layers.Layer):
    """Adds channels of zeros before and after those that are there.

    Args:
        padding: Integer, how many on each side.
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
