"""Scores for dropping and growing connections.

Each score is a function of a `KernelView` or a `CandidateTile`.
"""

import tensorflow as tf
from keras import ops

from rigl_tf.typing import Positions


def magnitude(view: Positions) -> tf.Tensor:
    """Returns |weight|."""
    return ops.abs(view.weight)


def gradient(view: Positions) -> tf.Tensor:
    """Returns |gradient|."""
    return ops.abs(view.gradient)


def momentum(view: Positions) -> tf.Tensor:
    """Returns |momentum|."""
    return ops.abs(view.momentum)


def saliency(view: Positions) -> tf.Tensor:
    """Returns |weight x gradient|, the first-order change of the loss."""
    return ops.abs(view.weight * view.gradient)


def random(view: Positions) -> tf.Tensor:
    """Returns random scores, so that all connections are equally likely."""
    return view.random()


def weighted_random(
    view: Positions, weights: tf.Tensor, stream: int = 0
) -> tf.Tensor:
    """Returns random scores for a choice with unequal probabilities.

    The k positions with the highest scores are drawn one after another,
    without replacement, with probabilities in proportion to their weights.
    Positions with weight 0 are drawn last, all equally likely.

    Args:
        view: `KernelView` or `CandidateTile`.
        weights: Float tensor >= 0, shape of `view.mask`.
        stream: Integer >= 0. Streams are independent of each other.

    Returns:
        float32 tensor, shape of `view.mask`: log(weight) and a random number
        of the Gumbel distribution.

    Reference:
        [Vieira, 2014](https://timvieira.github.io/blog/post/2014/08/01/gumbel-max-trick-and-weighted-reservoir-sampling/),
        with Gumbel numbers as keys.
    """
    # All 32 bits, because the highest scores, which decide a choice of a few
    # among many, come from uniform numbers near 0.
    bits = tf.bitcast(view.random(stream), tf.uint32)
    uniform = (tf.cast(bits, tf.float32) + 0.5) * 2.0**-32
    uniform = tf.minimum(uniform, 1 - 2.0**-24)
    gumbel = -tf.math.log(-tf.math.log1p(-uniform))
    # The log of the smallest number is below all other scores.
    return tf.math.log(tf.maximum(weights, 1e-37)) + gumbel


SCORES = {
    function.__name__: function
    for function in (magnitude, gradient, momentum, saliency, random)
}
