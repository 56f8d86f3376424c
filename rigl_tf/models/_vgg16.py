"""VGG-16 and shorter VGG networks."""

from collections.abc import Sequence

import keras
from keras import layers

from rigl_tf.models.building_blocks import LayerFactory
from rigl_tf.typing import Shape
from rigl_tf.utils.shapes import check_shape
from rigl_tf.utils.validation import check_count

# Channels, as multiples of the first block, and convolutions of each block.
_BLOCKS = ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3))


def vgg16(
    input_shape: Shape,
    num_classes: int,
    blocks: int = 5,
    channels: int = 64,
    hidden: Sequence[int] = (),
    batch_norm: bool = True,
    dropout: float = 0.0,
    affine: bool = True,
    bias: bool = True,
    initializer: str = "he_normal",
) -> keras.Model:
    """Builds a VGG network; by default, the 14 layers of Rare Gems.

    Blocks of two or three 3x3 convolutions with ReLU are followed by max
    pooling, and the last block by fully connected layers. Without hidden
    layers, the input of the logits is the mean over the image. With hidden
    layers, the image is flattened.

    Layers with kernels are named `block<number>_conv<number>`,
    `dense<number>` and `logits`, with numbers from 1.

    Args:
        input_shape: Tuple of positive integers, (height, width, channels), with
            at least 2^blocks pixels on each side.
        num_classes: Integer, at least 1.
        blocks: Integer from 1 to 5. GGR's network has 4.
        channels: Integer, at least 1, channels of the first block. The other
            blocks have twice, four and eight times as many.
        hidden: Tuple of positive integers, units of hidden layers after the
            convolutions. GGR's network has (4096, 4096).
        batch_norm: Boolean, whether each convolution is followed by BN.
        dropout: Float in [0, 1), dropout rate after each hidden layer.
        affine: Boolean, whether BN has a learnt scale and offset.
        bias: Boolean, whether layers have biases.
        initializer: Initializer of kernels: a key of
            `rigl_tf.models.initializers.INITIALIZERS`, or a function that
            returns a `keras.initializers.Initializer`.

    Returns:
        `keras.Model` from (batch, *input_shape) to logits, (batch,
        num_classes). By default, with 10 classes, 14,715,584 weights in
        kernels.

    Raises:
        ValueError: If an argument is not as described.

    Reference:
        [Simonyan & Zisserman, 2015](https://arxiv.org/abs/1409.1556), Table 1;
        [Sreenivasan et al., 2022](https://arxiv.org/abs/2202.12002), Table 6.
    """
    check_shape("input_shape", input_shape, num=3)
    check_count("num_classes", num_classes)
    check_count("channels", channels)
    check_shape("hidden", hidden)
    if blocks not in range(1, len(_BLOCKS) + 1):
        raise ValueError(
            f"`blocks` must be an integer from 1 to {len(_BLOCKS)}. "
            f"Received: blocks={blocks!r}."
        )
    if min(input_shape[:2]) < 2**blocks:
        raise ValueError(
            f"`input_shape` must have at least {2**blocks} pixels on each side "
            f"for {blocks} blocks. Received: "
            f"input_shape={tuple(input_shape)}. Lower `blocks`."
        )
    factory = LayerFactory(initializer, affine=affine, bias=bias)
    x = inputs = keras.Input(input_shape)
    for block, (multiplier, depth) in enumerate(_BLOCKS[:blocks], start=1):
        for index in range(1, depth + 1):
            name = f"block{block}_conv{index}"
            x = factory.conv(x, multiplier * channels, 3, name, bias=bias)
            if batch_norm:
                x = factory.norm(x, f"{name}_bn")
            x = layers.ReLU(name=f"{name}_relu")(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    if hidden:
        x = layers.Flatten(name="flatten")(x)
    for number, units in enumerate(hidden, start=1):
        x = factory.dense(x, units, f"dense{number}")
        x = layers.ReLU(name=f"dense{number}_relu")(x)
        if dropout:
            x = layers.Dropout(dropout, name=f"dense{number}_dropout")(x)
    outputs = factory.logits(x, num_classes)
    return keras.Model(inputs, outputs, name="vgg16")
