"""A recurrent character model."""

from collections.abc import Sequence

import keras
from keras import layers

from rigl_tf.typing import Shape
from rigl_tf.utils.shapes import check_shape
from rigl_tf.utils.validation import check_count


def gru(
    input_shape: Shape,
    num_classes: int,
    embedding: int = 128,
    units: int = 512,
    hidden: Sequence[int] = (256, 128),
) -> keras.Model:
    """Builds a GRU that predicts the next character after each one.

    Layers with kernels are named `embedding`, `gru`, `dense1`, `dense2`, ...
    and `logits`. In the paper, the logits share the embedding; in this
    network, they have a separate kernel.

    Args:
        input_shape: Tuple of one positive integer, the length of a text.
        num_classes: Integer, at least 1, number of different characters.
        embedding: Integer, at least 1, size of the embedding of a character.
        units: Integer, at least 1, units of the GRU.
        hidden: Tuple of positive integers, units of the layers after the GRU.

    Returns:
        `keras.Model` from (batch, length) integers to logits, (batch, length,
        num_classes).

    Raises:
        ValueError: If an argument is not as described.

    Reference:
        [Evci et al., 2020](https://arxiv.org/abs/1911.11134), section 4.2.
    """
    check_shape("input_shape", input_shape, num=1)
    check_count("num_classes", num_classes)
    check_count("embedding", embedding)
    check_count("units", units)
    check_shape("hidden", hidden)
    inputs = keras.Input(input_shape, dtype="int32")
    x = layers.Embedding(num_classes, embedding, name="embedding")(inputs)
    x = layers.GRU(units, return_sequences=True, name="gru")(x)
    for number, size in enumerate(hidden, start=1):
        x = layers.Dense(size, activation="relu", name=f"dense{number}")(x)
    outputs = layers.Dense(num_classes, name="logits")(x)
    return keras.Model(inputs, outputs, name="gru")
