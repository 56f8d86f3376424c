"""Optimizers of scores, whose learning rate falls as a cosine to zero."""

import keras


def sgd(num_steps, learning_rate=0.1, momentum=0.9, nesterov=False):
    """SGD, as Rare Gems trains scores.

    Args:
        num_steps: Integer, steps of the search.
        learning_rate: Float, to begin with.
        momentum: Float in [0, 1).
        nesterov: Whether momentum looks ahead.

    Returns:
        `keras.optimizers.SGD`.
    """
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, num_steps)
    return keras.optimizers.SGD(schedule, momentum, nesterov)


def adam(num_steps, learning_rate=0.01):
    """Adam; see `sgd`."""
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, num_steps)
    return keras.optimizers.Adam(schedule)
