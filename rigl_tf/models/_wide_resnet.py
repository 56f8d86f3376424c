"""Wide residual networks."""

import keras
from keras import layers

from rigl_tf.models.building_blocks import Parts
from rigl_tf.utils.shapes import check_shape
from rigl_tf.utils.validation import check_count

_STEM_CHANNELS = 16
_STRIDES = (1, 2, 2)  # of the first residual block in each of three groups


def wide_resnet(
    input_shape,
    num_classes,
    depth=22,
    width=2,
    dropout=0.3,
    affine=True,
    bias=True,
    initializer="he_normal_fan_out",
    head_initializer="torch_uniform",
):
    """Builds a WideResNet of pre-activation blocks; by default WRN-22-2.

    A residual block is BN, ReLU, 3x3 convolution, BN, ReLU, dropout, 3x3
    convolution. Where it changes the number of channels, its input is
    activated before it is split, so that the 1x1 shortcut sees what the first
    convolution sees; elsewhere, the shortcut is the identity.

    Strided convolutions are padded by one pixel on each side, as in the
    reference code.

    Layers with kernels are named `conv1`, `block<group>_<index>_conv1`,
    `..._conv2` and `..._shortcut`, with groups from 1 and indices from 0, and
    `logits`.

    Args:
        input_shape: Tuple of positive integers, (height, width, channels).
        num_classes: Integer, at least 1.
        depth: Integer, 6n + 4 for n >= 1: layers, with n blocks in each group.
        width: Integer, at least 1. Groups have 16, 32 and 64 times as many
            channels.
        dropout: Float in [0, 1), fraction of activations dropped within a
            block.
        affine: Whether BN has a learnt scale and offset.
        bias: Whether the logits have a bias.
        initializer: How kernels begin; see `rigl_tf.models.initializers`.
        head_initializer: The same for the logits.

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
    parts = Parts(initializer, head_initializer, affine, bias)
    inputs = keras.Input(input_shape)
    x = parts.conv(inputs, _STEM_CHANNELS, 3, "conv1")
    for group, first_stride in enumerate(_STRIDES, start=1):
        channels = _STEM_CHANNELS * width * 2 ** (group - 1)
        for index in range((depth - 4) // 6):
            stride = first_stride if index == 0 else 1
            name = f"block{group}_{index}"
            x = _block(parts, x, channels, stride, dropout, name)
    x = parts.norm_relu(x, "bn", "relu")
    outputs = parts.logits(x, num_classes)
    return keras.Model(inputs, outputs, name=f"wide_resnet_{depth}_{width}")


def _block(parts, x, channels, stride, dropout, name):
    shortcut = x
    x = parts.norm_relu(x, f"{name}_bn1", f"{name}_relu1")
    if shortcut.shape[-1] != channels:
        shortcut = parts.conv(x, channels, 1, f"{name}_shortcut", stride)
    x = parts.conv(x, channels, 3, f"{name}_conv1", stride)
    x = parts.norm_relu(x, f"{name}_bn2", f"{name}_relu2")
    if dropout:
        x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
    x = parts.conv(x, channels, 3, f"{name}_conv2")
    return layers.Add(name=f"{name}_add")([x, shortcut])
