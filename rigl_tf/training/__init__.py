"""Losses, learning rates and the training loop of all runs."""

from rigl_tf.training import learning_rates
from rigl_tf.training import longer_training
from rigl_tf.training import losses

__all__ = ["learning_rates", "longer_training", "losses"]
