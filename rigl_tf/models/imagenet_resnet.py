"""Residual networks with projections: ResNet-18 and ResNet-50."""

import keras
from keras import layers

from rigl_tf.models.building_blocks import LayerFactory
from rigl_tf.typing import Shape
from rigl_tf.utils.shapes import check_shape
from rigl_tf.utils.validation import check_choice
from rigl_tf.utils.validation import check_count

STEMS = ("cifar", "imagenet")


def resnet18(
    input_shape: Shape,
    num_classes: int,
    stem: str = "cifar",
    channels: int = 64,
    affine: bool = True,
    bias: bool = True,
    initializer: str = "he_normal_fan_out",
    head_initializer: str = "torch_uniform",
) -> keras.Model:
    """Builds ResNet-18.

    The network has four groups of two blocks of two 3x3 convolutions. If a
    block changes the shape, its shortcut is a 1x1 convolution with BN.

    Layers with kernels are named `conv1`, `block<group>_<index>_conv1`,
    `..._conv2` and `..._shortcut`, with groups from 1 and indices from 0, and
    `logits`.

    Args:
        input_shape: Tuple of positive integers, (height, width, channels).
        num_classes: Integer, at least 1.
        stem: `"cifar"`, a 3x3 convolution, or `"imagenet"`, a 7x7
            convolution with stride 2 and 3x3 max pooling with stride 2.
        channels: Integer, at least 1, channels of the first group. Each next
            group has twice as many.
        affine: Boolean, whether BN has a learnt scale and offset.
        bias: Boolean, whether the logits have a bias.
        initializer: Initializer of kernels: a key of
            `rigl_tf.models.initializers.INITIALIZERS`, or a function that
            returns a `keras.initializers.Initializer`.
        head_initializer: Initializer of the kernel of the logits.

    Returns:
        `keras.Model` from (batch, *input_shape) to logits, (batch,
        num_classes). With 10 classes, 11,164,352 weights in kernels.

    Raises:
        ValueError: If an argument is not as described.

    Reference:
        [He et al., 2016](https://arxiv.org/abs/1512.03385), Table 1.
    """
    factory = LayerFactory(initializer, head_initializer, affine, bias)
    args = (input_shape, num_classes, stem, channels)
    return _resnet("resnet18", factory, _basic, (2, 2, 2, 2), *args)


def resnet50(
    input_shape: Shape,
    num_classes: int,
    stem: str = "imagenet",
    channels: int = 64,
    affine: bool = True,
    bias: bool = True,
    initializer: str = "he_normal_fan_out",
    head_initializer: str = "torch_uniform",
) -> keras.Model:
    """Builds ResNet-50, version 1.5, with strides in the 3x3 convolutions.

    The network has four groups of 3, 4, 6 and 3 blocks of a 1x1, a 3x3 and a
    1x1 convolution; the last of the three has four times as many channels. The
    initial scale of the last BN of a block is zero.

    See `resnet18` for the arguments and for the names of layers with kernels;
    the third convolutions are named `..._conv3`.

    Returns:
        `keras.Model` from (batch, *input_shape) to logits, (batch,
        num_classes). With the stem for ImageNet and 1,000 classes, 25,502,912
        weights in kernels; with the stem for CIFAR and 100 classes,
        23,652,032.

    Reference:
        [He et al., 2016](https://arxiv.org/abs/1512.03385), Table 1;
        [Sundar & Dwaraknath, 2021](https://arxiv.org/abs/2103.15767), Table 6.
    """
    factory = LayerFactory(initializer, head_initializer, affine, bias)
    args = (input_shape, num_classes, stem, channels)
    return _resnet("resnet50", factory, _bottleneck, (3, 4, 6, 3), *args)


def _resnet(
    model_name, factory, block, depths, input_shape, num_classes, stem, channels
):
    check_shape("input_shape", input_shape, num=3)
    check_count("num_classes", num_classes)
    check_choice("stem", stem, STEMS)
    check_count("channels", channels)
    x = inputs = keras.Input(input_shape)
    if stem == "cifar":
        x = factory.conv(x, channels, 3, "conv1")
    else:
        x = factory.conv(x, channels, 7, "conv1", stride=2)
    x = factory.norm_relu(x, "bn1", "relu1")
    if stem == "imagenet":
        # ReLU is not negative, so padding with zeros does not change maxima.
        x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
        x = layers.MaxPooling2D(3, 2, name="pool1")(x)
    for group, depth in enumerate(depths, start=1):
        for index in range(depth):
            stride = 2 if group > 1 and index == 0 else 1
            name = f"block{group}_{index}"
            x = block(factory, x, channels * 2 ** (group - 1), stride, name)
    outputs = factory.logits(x, num_classes)
    return keras.Model(inputs, outputs, name=model_name)


def _basic(factory, x, channels, stride, name):
    shortcut = _shortcut(factory, x, channels, stride, name)
    x = factory.conv(x, channels, 3, f"{name}_conv1", stride)
    x = factory.norm_relu(x, f"{name}_bn1", f"{name}_relu1")
    x = factory.norm(
        factory.conv(x, channels, 3, f"{name}_conv2"), f"{name}_bn2"
    )
    x = layers.Add(name=f"{name}_add")([x, shortcut])
    return layers.ReLU(name=f"{name}_relu2")(x)


def _bottleneck(factory, x, channels, stride, name):
    shortcut = _shortcut(factory, x, 4 * channels, stride, name)
    x = factory.conv(x, channels, 1, f"{name}_conv1")
    x = factory.norm_relu(x, f"{name}_bn1", f"{name}_relu1")
    x = factory.conv(x, channels, 3, f"{name}_conv2", stride)
    x = factory.norm_relu(x, f"{name}_bn2", f"{name}_relu2")
    x = factory.conv(x, 4 * channels, 1, f"{name}_conv3")
    x = factory.norm(x, f"{name}_bn3", gamma="zeros")
    x = layers.Add(name=f"{name}_add")([x, shortcut])
    return layers.ReLU(name=f"{name}_relu3")(x)


def _shortcut(factory, x, channels, stride, name):
    if x.shape[-1] == channels and stride == 1:
        return x
    x = factory.conv(x, channels, 1, f"{name}_shortcut", stride)
    return factory.norm(x, f"{name}_shortcut_bn")
