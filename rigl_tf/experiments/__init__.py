"""Experiments: tasks, methods, and runs that write a record."""

from rigl_tf.experiments.methods import Method
from rigl_tf.experiments.methods import SmallDense
from rigl_tf.experiments.methods import TicketMethod
from rigl_tf.experiments.run import train
from rigl_tf.experiments.task import Task
from rigl_tf.experiments.traced_model import TracedModel

__all__ = [
    "Method",
    "SmallDense",
    "Task",
    "TicketMethod",
    "TracedModel",
    "train",
]
