"""Optimizers of scores and of tickets, made for a number of steps."""

import keras

from rigl_tf.training.learning_rates import Steps
from rigl_tf.training.longer_training import stretch_optimizer


def of_task(fit, epochs=None):
    """The task's optimizer for a training of another length.

    Args:
        fit: `Fit`, how the task trains.
        epochs: Integer, or `None`: as many as the task takes. The learning
            rate changes after the same fractions of the training: of 8 epochs
            in the place of 160, what happens after 80 happens after 4.

    Returns:
        `keras.optimizers.Optimizer`.
    """
    optimizer = fit.optimizer()
    if fit.epochs and epochs not in (None, fit.epochs):
        stretch_optimizer(optimizer, epochs / fit.epochs)
    return optimizer


def sgd(num_steps, learning_rate=0.1, momentum=0.9, nesterov=False):
    """SGD as Rare Gems trains scores: a cosine from a learning rate to zero.

    Args:
        num_steps: Integer, steps of the training.
        learning_rate: Float, to begin with.
        momentum: Float in [0, 1).
        nesterov: Whether momentum looks ahead.

    Returns:
        `keras.optimizers.SGD`.
    """
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, num_steps)
    return keras.optimizers.SGD(schedule, momentum, nesterov)


def multi_step(
    num_steps,
    learning_rate=0.01,
    momentum=0.9,
    nesterov=False,
    milestones=(80 / 150, 120 / 150),
    factor=0.1,
):
    """SGD as Rare Gems trains tickets: a learning rate that falls in steps.

    Args:
        num_steps: Integer, steps of the training.
        learning_rate: Float, to begin with.
        momentum: Float in [0, 1).
        nesterov: Whether momentum looks ahead.
        milestones: Rising floats in (0, 1), fractions of the training after
            which the learning rate falls. By default, those of ResNet-20.
        factor: Float, by which it falls.

    Returns:
        `keras.optimizers.SGD`.

    Reference:
        [Sreenivasan et al., 2022](https://arxiv.org/abs/2202.12002), Table 15.
    """
    steps = [round(part * num_steps) for part in milestones]
    schedule = Steps(learning_rate, steps, factor)
    return keras.optimizers.SGD(schedule, momentum, nesterov)


def adam(num_steps, learning_rate=0.01):
    """Adam; see `sgd`."""
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, num_steps)
    return keras.optimizers.Adam(schedule)
