"""The tables of the papers, compared with our own results."""

from rigl_tf.papers.tables import PaperItem
from rigl_tf.papers.tables import TableRow
from rigl_tf.papers.tables import read

__all__ = ["PaperItem", "TableRow", "read"]
