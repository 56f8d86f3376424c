"""Records of runs: reading, writing, tables and figures."""

from rigl_tf.results.frames import load
from rigl_tf.results.records import MODEL
from rigl_tf.results.records import RECORD
from rigl_tf.results.records import TRIALS
from rigl_tf.results.records import Record
from rigl_tf.results.records import acquire_run_dir
from rigl_tf.results.records import find
from rigl_tf.results.records import mark_run_dir
from rigl_tf.results.records import read
from rigl_tf.results.records import read_all
from rigl_tf.results.records import write

__all__ = [
    "MODEL",
    "RECORD",
    "TRIALS",
    "Record",
    "mark_run_dir",
    "acquire_run_dir",
    "find",
    "load",
    "read",
    "read_all",
    "write",
]
