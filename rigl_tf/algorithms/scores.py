"""Scores that several algorithms drop or grow by."""

from keras import ops


def magnitude(view):
    """|weight|."""
    return ops.abs(view.weight)


def gradient(view):
    """|gradient|."""
    return ops.abs(view.gradient)


def momentum(view):
    """|momentum|."""
    return ops.abs(view.momentum)


def saliency(view):
    """|weight x gradient|, the first-order change of the loss."""
    return ops.abs(view.weight * view.gradient)


def random(view):
    """Any connection as likely as any other."""
    return view.random()


SCORES = {
    function.__name__: function
    for function in (magnitude, gradient, momentum, saliency, random)
}
