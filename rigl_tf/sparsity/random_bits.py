"""Random integers that are the same on every device, also drawn in parts."""

import numpy as np
import tensorflow as tf

from rigl_tf.typing import Integer
from rigl_tf.typing import Seed
from rigl_tf.typing import Shape

_PHILOX = 1  # TensorFlow's number for the algorithm


def draw(shape: Shape, seed: Seed) -> tf.Tensor:
    """Draws independent uniform 32-bit integers.

    Args:
        shape: Tuple of integers.
        seed: Integer, or integer tensor of shape (2,).

    Returns:
        int32 tensor of shape `shape`, the scores of a random choice: random
        floats have only 23 random bits, and ties favour low indices.
    """
    return tf.random.stateless_uniform(
        shape,
        seed_pair(seed),
        minval=None,  # pyright: ignore[reportArgumentType]
        maxval=None,
        dtype=tf.int32,
        alg="philox",
    )


def draw_slice(start: Integer, stop: Integer, seed: Seed) -> tf.Tensor:
    """Draws the part of `draw` between two flat indices.

    Args:
        start: Integer or integer scalar tensor, the first index.
        stop: Integer or integer scalar tensor, the index after the last.
        seed: Integer tensor of shape (2,).

    Returns:
        int32 tensor of shape (stop - start,).
    """
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed)
    # Philox makes four numbers for every value of its counter.
    skipped = start // 4
    values = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=[stop - 4 * skipped],
        key=key,
        counter=counter + tf.cast(tf.stack([skipped, 0]), tf.uint64),
        alg=_PHILOX,
        dtype=tf.int32,
    )
    return values[start - 4 * skipped :]


def seed_pair(seed: Seed) -> tf.Tensor:
    """Returns a seed as an integer tensor of shape (2,).

    Args:
        seed: Integer, or integer tensor of shape (2,), which is returned
            unchanged.
    """
    if isinstance(seed, int | np.integer):
        seed = int(seed)
        # The first word has the lower bits; sign and overflow are the second.
        return tf.constant([seed & 0x7FFFFFFF, seed >> 31], tf.int64)
    return tf.convert_to_tensor(seed)
