"""Optimizers for scores and tickets, built for a number of steps."""

import keras

from rigl_tf.training.learning_rates import Steps
from rigl_tf.training.longer_training import scale_optimizer


def task_optimizer(trainer, epochs=None):
    """Returns the task's optimizer for a different number of epochs.

    Args:
        trainer: `Trainer`, the training of the task.
        epochs: Integer, or `None` for the epochs of the task. The learning
            rate changes after the same fractions of the training: with 8
            epochs instead of 160, a change after 80 epochs moves to epoch 4.

    Returns:
        `keras.optimizers.Optimizer`.
    """
    optimizer = trainer.optimizer()
    if trainer.epochs and epochs not in (None, trainer.epochs):
        scale_optimizer(optimizer, epochs / trainer.epochs)
    return optimizer


def sgd(
    num_steps: int,
    learning_rate: float = 0.1,
    momentum: float = 0.9,
    nesterov: bool = False,
) -> keras.Optimizer:
    """Returns SGD with a cosine learning rate, as Rare Gems trains scores.

    The learning rate falls from `learning_rate` to zero.

    Args:
        num_steps: Integer, number of training steps.
        learning_rate: Float, the initial learning rate.
        momentum: Float in [0, 1).
        nesterov: Boolean, whether to use Nesterov momentum.

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
    """Returns SGD with a step-wise learning rate, as Rare Gems trains tickets.

    Args:
        num_steps: Integer, number of training steps.
        learning_rate: Float, the initial learning rate.
        momentum: Float in [0, 1).
        nesterov: Boolean, whether to use Nesterov momentum.
        milestones: Increasing floats in (0, 1), fractions of the training. The
            learning rate falls after each. The defaults are the milestones of
            ResNet-20.
        factor: Float. Each milestone multiplies the learning rate by it.

    Returns:
        `keras.optimizers.SGD`.

    Reference:
        [Sreenivasan et al., 2022](https://arxiv.org/abs/2202.12002), Table 15.
    """
    steps = [round(part * num_steps) for part in milestones]
    schedule = Steps(learning_rate, steps, factor)
    return keras.optimizers.SGD(schedule, momentum, nesterov)


def adam(num_steps, learning_rate=0.01):
    """Returns Adam with a cosine learning rate; see `sgd`."""
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, num_steps)
    return keras.optimizers.Adam(schedule)
