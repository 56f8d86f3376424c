"""Callbacks for `fit`."""

from rigl_tf.callbacks.checkpoint import STOPPED
from rigl_tf.callbacks.checkpoint import Checkpoint
from rigl_tf.callbacks.sparse_training import SparseTraining
from rigl_tf.callbacks.sparsity_monitor import SparsityMonitor

__all__ = ["STOPPED", "Checkpoint", "SparseTraining", "SparsityMonitor"]
