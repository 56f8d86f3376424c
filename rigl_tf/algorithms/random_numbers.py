"""Random numbers of the positions of a kernel."""

import functools
import statistics

import numpy as np
import tensorflow as tf

from rigl_tf.sparsity import random_bits
from rigl_tf.typing import Integer
from rigl_tf.typing import Seed
from rigl_tf.typing import Shape

# Folded into the seed. `GrowInit` folds in 2.
_FOR_NORMAL, _FOR_UNIFORM, _FOR_STREAMS = 1, 3, 4
_LEVELS = 2**12  # of each of two normal numbers that are added up


class RandomNumbers:
    """The random numbers of one kernel at one step, one for each position.

    A number depends only on the seed, the step and the position. It does not
    depend on the storage of the kernel, on the replica, or on the division of
    the kernel into tiles.

    Args:
        shape: Tuple of integers, the shape of the kernel.
        seed: Integer, or integer tensor of shape (2,), unique to the kernel
            and the step.

    Example:

    >>> numbers = RandomNumbers((2, 3), seed=0)
    >>> numbers.uniform().shape
    TensorShape([2, 3])
    """

    def __init__(self, shape: Shape, seed: Seed) -> None:
        self._shape = tuple(shape)
        self._seed = random_bits.seed_pair(seed)

    def integers(self, stream: int = 0) -> tf.Tensor:
        """Draws uniform int32 numbers, from the lowest to the highest.

        Args:
            stream: Integer >= 0. Streams are independent of each other.

        Returns:
            int32 tensor of the shape of the kernel or the tile.
        """
        return self.sample(self._fold(0, stream))

    def uniform(self, stream: int = 0) -> tf.Tensor:
        """Draws float32 numbers that are uniform between 0 and 1.

        Args:
            stream: Integer >= 0. Streams are independent of each other.

        Returns:
            float32 tensor of the shape of the kernel or the tile. Neither 0
            nor 1 occurs, so that logarithms are finite.
        """
        return uniform(self.sample(self._fold(_FOR_UNIFORM, stream)))

    def normal(self, stream: int = 0) -> tf.Tensor:
        """Draws float32 numbers with mean 0 and standard deviation 1.

        Args:
            stream: Integer >= 0. Streams are independent of each other.

        Returns:
            float32 tensor of the shape of the kernel or the tile.
        """
        return normal(self.sample(self._fold(_FOR_NORMAL, stream)))

    def sample(self, seed: Seed) -> tf.Tensor:
        """Draws integers for all positions; subclasses, for some positions.

        Args:
            seed: Integer tensor of shape (2,).

        Returns:
            int32 tensor of the shape of the kernel.
        """
        return random_bits.draw(self._shape, seed)

    def _fold(self, number: int, stream: int) -> tf.Tensor:
        """Returns a distinct seed for each distribution and stream."""
        if stream:
            seed = _fold_in(self._seed, _FOR_STREAMS + number)
            return _fold_in(seed, stream)
        return _fold_in(self._seed, number) if number else self._seed


class SliceNumbers(RandomNumbers):
    """The random numbers of a range of flat positions.

    Args:
        start: Integer or integer scalar tensor, the first position.
        stop: Integer or integer scalar tensor, the position after the last.
        seed: Integer tensor of shape (2,), the seed of the whole kernel.
    """

    def __init__(self, start: Integer, stop: Integer, seed: Seed) -> None:
        super().__init__((), seed)
        self._range = start, stop

    def sample(self, seed: Seed) -> tf.Tensor:
        return random_bits.draw_slice(*self._range, seed)


def uniform(integers: tf.Tensor) -> tf.Tensor:
    """Converts random integers to uniform float32 numbers between 0 and 1.

    Args:
        integers: int32 tensor, uniform from the lowest to the highest.

    Returns:
        float32 tensor of the same shape. Neither 0 nor 1 occurs.
    """
    # The 23 highest bits, and a half, are exact in a 32-bit float.
    return (tf.cast(_bits(integers, 9, 23), tf.float32) + 0.5) * 2.0**-23


def normal(integers: tf.Tensor) -> tf.Tensor:
    """Converts random integers to normal float32 numbers.

    Each number is the sum of two numbers from a table of quantiles, so its bits
    are the same on every device. Formulas are rounded differently in vectorized
    code, and TensorFlow's normal numbers differ between XLA and other code.

    Args:
        integers: int32 tensor, uniform from the lowest to the highest.

    Returns:
        float32 tensor of the same shape, with mean 0 and standard deviation
        1. No number is beyond 5.3.
    """
    table = tf.constant(_quantiles())
    return tf.gather(table, _bits(integers, 20, 12)) + tf.gather(
        table, _bits(integers, 8, 12)
    )


@functools.cache
def _quantiles() -> np.ndarray:
    """Returns quantiles of a normal distribution with variance 1/2."""
    inverse = statistics.NormalDist().inv_cdf
    values = np.array([inverse((i + 0.5) / _LEVELS) for i in range(_LEVELS)])
    return (values / values.std() / 2**0.5).astype(np.float32)


def _bits(integers: tf.Tensor, first: int, count: int) -> tf.Tensor:
    """Returns some bits of each integer, as an integer."""
    shifted = tf.bitwise.right_shift(integers, first)
    return tf.bitwise.bitwise_and(shifted, 2**count - 1)


def _fold_in(seed: tf.Tensor, number: int) -> tf.Tensor:
    folded = tf.random.fold_in(seed, number, alg="philox")
    return tf.convert_to_tensor(folded)
