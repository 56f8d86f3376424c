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


SCORES = {
    function.__name__: function
    for function in (magnitude, gradient, momentum, saliency, random)
}
