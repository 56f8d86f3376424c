"""Random numbers that belong to the positions of a kernel."""

import tensorflow as tf

from rigl_tf import masks

INTEGERS, NORMAL = "integers", "normal"
# Folded into the seed. `GrowInit` folds in 2.
_FOR_NORMAL, _FOR_UNIFORM, _FOR_STREAMS = 1, 3, 4


class RandomNumbers:
    """The random numbers of one kernel at one step, one for each position.

    A number depends on the seed, the step and the position alone. It is the
    same whether the kernel is stored dense or not, on every replica, and
    whether the kernel is seen as a whole or tile by tile.

    Args:
        shape: Tuple of integers, the shape of the kernel.
        seed: Integer, or integer tensor of shape (2,), unique to the kernel
            and the step.

    Example:

    >>> numbers = RandomNumbers((2, 3), seed=0)
    >>> numbers.uniform().shape
    TensorShape([2, 3])
    """

    def __init__(self, shape, seed):
        self._shape = tuple(shape)
        self._seed = masks.seed_pair(seed)

    def integers(self, stream: int = 0) -> tf.Tensor:
        """Draws uniform int32 numbers, from the lowest to the highest.

        Args:
            stream: Integer >= 0. Streams are independent of each other.

        Returns:
            int32 tensor of the shape of the kernel or the tile.
        """
        return self.sample(INTEGERS, self._folded(0, stream))

    def uniform(self, stream: int = 0) -> tf.Tensor:
        """Draws float32 numbers that are uniform between 0 and 1.

        Args:
            stream: Integer >= 0. Streams are independent of each other.

        Returns:
            float32 tensor of the shape of the kernel or the tile. Neither 0
            nor 1 occurs, so that logarithms are finite.
        """
        bits = self.sample(INTEGERS, self._folded(_FOR_UNIFORM, stream))
        # The 23 highest bits, and a half, are exact in a 32-bit float.
        high = tf.bitwise.bitwise_and(
            tf.bitwise.right_shift(bits, 9), 2**23 - 1
        )
        return (tf.cast(high, tf.float32) + 0.5) * 2.0**-23

    def normal(self, stream: int = 0) -> tf.Tensor:
        """Draws float32 numbers with mean 0 and standard deviation 1.

        Args:
            stream: Integer >= 0. Streams are independent of each other.

        Returns:
            float32 tensor of the shape of the kernel or the tile. XLA, with
            `jit_compile=True`, makes other numbers of the same seed.
        """
        return self.sample(NORMAL, self._folded(_FOR_NORMAL, stream))

    def sample(self, distribution, seed) -> tf.Tensor:
        """Draws the numbers of all positions. Subclasses draw for some of them.

        Args:
            distribution: `INTEGERS` or `NORMAL`.
            seed: Integer tensor of shape (2,).

        Returns:
            Tensor of the shape of the kernel: int32 for `INTEGERS`, float32
            for `NORMAL`.
        """
        if distribution == INTEGERS:
            return masks.random_scores(self._shape, seed)
        return tf.random.stateless_normal(self._shape, seed, alg="philox")

    def _folded(self, number, stream):
        """Returns a seed for one distribution and stream, all different."""
        if stream:
            seed = _fold_in(self._seed, _FOR_STREAMS + number)
            return _fold_in(seed, stream)
        if number == _FOR_NORMAL:
            # The noise of DeepR has always had the seed of this function's
            # default, which in XLA is not Philox.
            return tf.random.experimental.stateless_fold_in(self._seed, number)
        return _fold_in(self._seed, number) if number else self._seed


class SliceNumbers(RandomNumbers):
    """The random numbers of a range of flat positions.

    Args:
        start: Integer or integer scalar tensor, the first position.
        stop: Integer or integer scalar tensor, the position after the last.
        seed: Integer tensor of shape (2,), the seed of the whole kernel.
    """

    def __init__(self, start, stop, seed):
        super().__init__((), seed)
        self._range = start, stop

    def sample(self, distribution, seed):
        return sample_slice(distribution, *self._range, seed)


def sample_slice(distribution, start, stop, seed):
    """Draws the numbers of a range of flat positions.

    Args:
        distribution: `INTEGERS` or `NORMAL`.
        start: Integer or integer scalar tensor, the first position.
        stop: Integer or integer scalar tensor, the position after the last.
        seed: Integer tensor of shape (2,).

    Returns:
        Tensor of shape (stop - start,).
    """
    if distribution == INTEGERS:
        return masks.random_scores_slice(start, stop, seed)
    return masks.philox_slice(
        tf.raw_ops.StatelessRandomNormalV2, tf.float32, start, stop, seed
    )


def _fold_in(seed, number):
    return tf.random.experimental.stateless_fold_in(seed, number, alg="philox")
