"""Sparse training for Keras 3 on TensorFlow."""

# Saved models may name classes of all packages; importing registers them.
from rigl_tf import algorithms as algorithms
from rigl_tf import condensing as condensing
from rigl_tf import distributions as distributions
from rigl_tf import extension as extension
from rigl_tf import flops as flops
from rigl_tf import granularity as granularity
from rigl_tf import grow_init as grow_init
from rigl_tf import learning_rates as learning_rates
from rigl_tf import losses as losses
from rigl_tf import masks as masks
from rigl_tf import models as models
from rigl_tf import multi_worker as multi_worker
from rigl_tf import schedules as schedules
from rigl_tf import strategies as strategies
from rigl_tf import tickets as tickets
from rigl_tf.callbacks import Checkpoint as Checkpoint
from rigl_tf.callbacks import SparseTraining as SparseTraining
from rigl_tf.exporting import export as export
from rigl_tf.modeling.convert import densify as densify
from rigl_tf.modeling.convert import sparsify as sparsify
from rigl_tf.modeling.sparse_model import SparseModel as SparseModel
from rigl_tf.modeling.sparse_optimizer import SparseOptimizer as SparseOptimizer
from rigl_tf.modeling.sparse_wrapper import Sparse as Sparse
from rigl_tf.modeling.sparse_wrapper import sparse_layers as sparse_layers
from rigl_tf.monitor import SparsityMonitor as SparsityMonitor
from rigl_tf.shrinking import shrink as shrink
from rigl_tf.summary import summary as summary

__version__ = "0.1.0"
