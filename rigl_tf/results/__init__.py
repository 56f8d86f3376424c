"""Records of runs: reading, writing, tables and figures."""

from rigl_tf.results.records import MODEL
from rigl_tf.results.records import RECORD
from rigl_tf.results.records import TRIALS
from rigl_tf.results.records import Record
from rigl_tf.results.records import begin
from rigl_tf.results.records import claim
from rigl_tf.results.records import find
from rigl_tf.results.records import read
from rigl_tf.results.records import read_all
from rigl_tf.results.records import write

__all__ = [
    "MODEL",
    "RECORD",
    "TRIALS",
    "Record",
    "begin",
    "claim",
    "find",
    "read",
    "read_all",
    "write",
]
