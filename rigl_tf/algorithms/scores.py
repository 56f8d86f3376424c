"""Scores for dropping and growing connections.

Each score is a function of a `KernelView` or a `CandidateTile`.
"""

from keras import ops


def magnitude(view):
    """Returns |weight|."""
    return ops.abs(view.weight)


def gradient(view):
    """Returns |gradient|."""
    return ops.abs(view.gradient)


def momentum(view):
    """Returns |momentum|."""
    return ops.abs(view.momentum)


def saliency(view):
    """Returns |weight x gradient|, the first-order change of the loss."""
    return ops.abs(view.weight * view.gradient)


def random(view):
    """Returns random scores, so that all connections are equally likely."""
    return view.random()


SCORES = {
    function.__name__: function
    for function in (magnitude, gradient, momentum, saliency, random)
}
