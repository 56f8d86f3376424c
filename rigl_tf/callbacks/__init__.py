"""Callbacks for `fit`."""

from rigl_tf.callbacks.checkpoint import STOPPED as STOPPED
from rigl_tf.callbacks.checkpoint import Checkpoint as Checkpoint
from rigl_tf.callbacks.sparse_training import SparseTraining as SparseTraining
