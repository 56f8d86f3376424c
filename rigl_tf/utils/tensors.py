"""Small things that many parts do with tensors and variables."""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from rigl_tf.typing import Seed
from rigl_tf.typing import TensorLike


def masked(
    values: TensorLike, mask: TensorLike, other: float = 0.0
) -> tf.Tensor:
    """Returns `values` where `mask` is `True`, and `other` elsewhere."""
    values = tf.convert_to_tensor(values)
    return tf.where(mask, values, tf.cast(other, values.dtype))


def shuffle(values: tf.Tensor, seed: Seed) -> tf.Tensor:
    """Shuffles the first dimension, by a seed of two integers."""
    return tf.random.experimental.stateless_shuffle(  # pyright: ignore[reportAttributeAccessIssue]
        values, seed, alg="philox"
    )


def floats(variables: Iterable[keras.Variable]) -> list[keras.Variable]:
    """Returns the floating-point variables."""
    return [v for v in variables if "float" in v.dtype]


def as_array(variable: Any) -> np.ndarray:
    """Returns the value of a variable, mirrored or not, as an array."""
    return tf.convert_to_tensor(variable).numpy()


def as_int(variable: Any) -> int:
    """Returns the value of an integer variable, mirrored or not."""
    return int(as_array(variable))
