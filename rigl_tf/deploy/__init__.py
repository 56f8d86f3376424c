"""Exports trained models to the formats of other runtimes."""

from rigl_tf.deploy.compact import read as read_compact
from rigl_tf.deploy.export_model import ExportResult as ExportResult
from rigl_tf.deploy.export_model import export as export
from rigl_tf.deploy.export_model import table as table
from rigl_tf.deploy.formats import FORMATS as FORMATS

__all__ = ["FORMATS", "ExportResult", "export", "read_compact", "table"]
