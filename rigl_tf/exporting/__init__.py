"""Trained models as files for others to use."""

from rigl_tf.exporting.compact import read as read_compact
from rigl_tf.exporting.export import Exported as Exported
from rigl_tf.exporting.export import export as export
from rigl_tf.exporting.export import table as table
from rigl_tf.exporting.formats import FORMATS as FORMATS

__all__ = ["FORMATS", "Exported", "export", "read_compact", "table"]
