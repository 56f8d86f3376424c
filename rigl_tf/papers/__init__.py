"""The tables of three papers beside our own results."""

from rigl_tf.papers.tables import Item
from rigl_tf.papers.tables import Row
from rigl_tf.papers.tables import read

__all__ = ["Item", "Row", "read"]
