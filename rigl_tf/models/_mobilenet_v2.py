"""MobileNet, version 2."""

import keras
from keras import layers

from rigl_tf.models._mobilenet_v1 import scale_channels
from rigl_tf.models.building_blocks import LayerFactory
from rigl_tf.typing import Shape
from rigl_tf.utils.shapes import check_shape
from rigl_tf.utils.validation import check_choice
from rigl_tf.utils.validation import check_count
from rigl_tf.utils.validation import check_number

# Expansion, channels and repetitions of each group.
_GROUPS = (
    (1, 16, 1),
    (6, 24, 2),
    (6, 32, 3),
    (6, 64, 4),
    (6, 96, 3),
    (6, 160, 3),
    (6, 320, 1),
)
# Strides of the first convolution and of the first block of each group.
STRIDES = {
    "cifar": (1, 1, 1, 2, 2, 1, 2, 1),
    "imagenet": (2, 1, 2, 2, 2, 1, 2, 1),
}


def mobilenet_v2(
    input_shape: Shape,
    num_classes: int,
    width: float = 1.0,
    strides: str = "cifar",
    projections: bool = False,
    affine: bool = True,
    bias: bool = True,
    initializer: str = "he_normal",
) -> keras.Model:
    """Builds MobileNet-v2.

    A block is a 1x1 convolution that expands, a 3x3 depthwise convolution and
    a 1x1 convolution that contracts, without an activation. Where shapes allow
    it, the block has a shortcut.

    Layers with kernels are named `conv1`, `block<number>_expand`,
    `..._depthwise`, `..._contract` and `..._shortcut`, with numbers from 1,
    `conv2` and `logits`.

    Args:
        input_shape: Tuple of positive integers, (height, width, channels).
        num_classes: Integer, at least 1.
        width: Number above 0, factor of the number of channels, which is then
            rounded to a multiple of 8.
        strides: `"cifar"`, which halves small images three times, or
            `"imagenet"`, which halves images five times.
        projections: Boolean, whether to build the network of Rare Gems: ReLU
            instead of ReLU6, 1x1 convolutions with BN as shortcuts where only
            the number of channels changes, and an expansion in the first
            block.
        affine: Boolean, whether BN has a learnt scale and offset.
        bias: Boolean, whether the logits have a bias.
        initializer: Initializer of kernels: a key of
            `rigl_tf.models.initializers.INITIALIZERS`, or a function that
            returns a `keras.initializers.Initializer`.

    Returns:
        `keras.Model` from (batch, *input_shape) to logits, (batch,
        num_classes). With 10 classes and projections, 2,261,824 weights in
        kernels; with 200 and without, 2,480,072 trainable parameters.

    Raises:
        ValueError: If an argument is not as described.

    Reference:
        [Sandler et al., 2018](https://arxiv.org/abs/1801.04381), Table 2;
        [Sreenivasan et al., 2022](https://arxiv.org/abs/2202.12002), Table 7.
    """
    check_shape("input_shape", input_shape, num=3)
    check_count("num_classes", num_classes)
    check_number("width", width, "(0, inf)")
    check_choice("strides", strides, tuple(STRIDES))
    factory = LayerFactory(initializer, affine=affine, bias=bias)
    max_value = None if projections else 6
    inputs = keras.Input(input_shape)
    x = factory.conv(
        inputs, scale_channels(32, width), 3, "conv1", STRIDES[strides][0]
    )
    x = factory.norm_relu(x, "bn1", "relu1", max_value)
    number = 0
    for (expansion, channels, repetitions), first in zip(
        _GROUPS, STRIDES[strides][1:], strict=True
    ):
        for index in range(repetitions):
            number += 1
            x = _block(
                factory,
                x,
                expansion,
                scale_channels(channels, width),
                first if index == 0 else 1,
                projections,
                f"block{number}",
            )
    x = factory.conv(x, max(scale_channels(1280, width), 1280), 1, "conv2")
    x = factory.norm_relu(x, "bn2", "relu2", max_value)
    outputs = factory.logits(x, num_classes)
    return keras.Model(inputs, outputs, name="mobilenet_v2")


def _block(factory, x, expansion, channels, stride, projections, name):
    max_value = None if projections else 6
    inputs = x
    if expansion > 1 or projections:
        x = factory.conv(x, expansion * x.shape[-1], 1, f"{name}_expand")
        x = factory.norm_relu(x, f"{name}_bn1", f"{name}_relu1", max_value)
    x = factory.depthwise(x, 3, f"{name}_depthwise", stride)
    x = factory.norm_relu(x, f"{name}_bn2", f"{name}_relu2", max_value)
    x = factory.norm(
        factory.conv(x, channels, 1, f"{name}_contract"), f"{name}_bn3"
    )
    if stride > 1:
        return x
    if inputs.shape[-1] != channels:
        if not projections:
            return x
        inputs = factory.conv(inputs, channels, 1, f"{name}_shortcut")
        inputs = factory.norm(inputs, f"{name}_shortcut_bn")
    return layers.Add(name=f"{name}_add")([x, inputs])
