"""The weights of new connections."""

import dataclasses
import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from rigl_tf.algorithms import random_numbers
from rigl_tf.modeling.kernel_initializers import initializer_of
from rigl_tf.sparsity import random_bits
from rigl_tf.utils.serialization import Config

_KINDS = ("zeros", "initial", "random", "gradient")
_SAMPLE = 1 << 16


@dataclasses.dataclass(frozen=True)
class GrowInit(Config):
    """The weights of connections that were inactive before an update.

    The optimizer slots of these connections always start with the initial
    values of the optimizer.

    Args:
        kind: String. `"zeros"`, as in the papers: new connections do not
            change the outputs. `"initial"`: values of the layer's initializer.
            `"random"`: normal, with the standard deviation of the kernel's
            active weights. `"gradient"`: the gradient of the loss, for
            algorithms with `needs_gradient`; with a negative `scale`, a step
            against the gradient.
        scale: Float, the factor of the weights of all kinds except `"zeros"`.

    Raises:
        ValueError: If `kind` is unknown or `scale` is not finite.

    Reference:
        [Evci et al., 2020](https://arxiv.org/abs/1911.11134). The authors' code
        has a divisor, the inverse of `scale`.

    Example:

    >>> sparse = rigl_tf.sparsify(
    ...     network, "rigl", sparsity=0.5,
    ...     grow_init=rigl_tf.grow_init.GrowInit("random", scale=0.1))
    """

    kind: str = "zeros"
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise ValueError(
                f"`kind` must be one of {', '.join(_KINDS)}. "
                f"Received: kind={self.kind!r}."
            )
        if not math.isfinite(self.scale):
            raise ValueError(
                f"`scale` must be finite. Received: scale={self.scale!r}."
            )

    def __call__(self, kernel, shape, gradient, seed):
        """Returns weights for all positions; growth uses some of them.

        Args:
            kernel: `SparseKernel`.
            shape: Tuple of integers.
            gradient: Function without arguments that returns a float tensor
                of this shape.
            seed: Integer tensor of shape (2,).

        Returns:
            Float tensor of this shape, or `None` for zeros.
        """
        if self.kind == "zeros":
            return None
        # Not the numbers that choose connections.
        folded: Any = tf.random.fold_in(random_bits.seed_pair(seed), 2)
        if self.kind == "gradient":
            values = gradient()
        elif self.kind == "random":
            values = random_numbers.normal(random_bits.draw(shape, folded))
            values *= _deviation_of_active(kernel)
        else:
            sample = _initial_sample(kernel)
            chosen = tf.random.stateless_uniform(
                shape, folded, 0, len(sample), tf.int32, alg="philox"
            )
            values = tf.gather(sample, chosen)
        return self.scale * values


def _deviation_of_active(kernel):
    weight = tf.cast(kernel.variable, tf.float32)
    count = tf.cast(kernel.count(), tf.float32)
    mean = tf.reduce_sum(weight) / count
    return tf.sqrt(tf.maximum(tf.reduce_sum(weight**2) / count - mean**2, 0.0))


def _initial_sample(kernel):
    """Returns initial weights of the kernel; a part of them if it is large."""
    initializer: Any = initializer_of(kernel)
    if hasattr(initializer, "get_config"):  # it may be a function
        config = initializer.get_config()
        if "seed" in config:
            config["seed"] = 0
        initializer = type(initializer).from_config(config)
    with tf.init_scope():  # once, not at every update
        values = initializer(kernel.kernel_shape, dtype="float32")
        return (
            keras.ops.convert_to_numpy(values)
            .ravel()[:_SAMPLE]
            .astype(np.float32)
        )
