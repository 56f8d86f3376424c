"""Trained models as files for others to use."""

from rigl_tf.deploy.compact import read as read_compact
from rigl_tf.deploy.export_model import Exported as Exported
from rigl_tf.deploy.export_model import export as export
from rigl_tf.deploy.export_model import table as table
from rigl_tf.deploy.formats import FORMATS as FORMATS

__all__ = ["FORMATS", "Exported", "export", "read_compact", "table"]
