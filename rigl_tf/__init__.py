"""Sparse training for Keras 3 on TensorFlow."""

# Saved models may name classes of all packages; importing registers them.
from rigl_tf import algorithms as algorithms
from rigl_tf import models as models
from rigl_tf import tickets as tickets
from rigl_tf.analysis import flops as flops
from rigl_tf.analysis.model_summary import summary as summary
from rigl_tf.callbacks import Checkpoint as Checkpoint
from rigl_tf.callbacks import SparseTraining as SparseTraining
from rigl_tf.callbacks.sparsity_monitor import (
    SparsityMonitor as SparsityMonitor,
)
from rigl_tf.deploy import condensing as condensing
from rigl_tf.deploy import export as export
from rigl_tf.deploy.shrinking import shrink as shrink
from rigl_tf.distribute import multi_worker_fit as multi_worker
from rigl_tf.distribute import strategies as strategies
from rigl_tf.modeling import grow_init as grow_init
from rigl_tf.modeling.convert import densify as densify
from rigl_tf.modeling.convert import sparsify as sparsify
from rigl_tf.modeling.sparse_model import SparseModel as SparseModel
from rigl_tf.modeling.sparse_optimizer import SparseOptimizer as SparseOptimizer
from rigl_tf.modeling.sparse_wrapper import Sparse as Sparse
from rigl_tf.modeling.sparse_wrapper import sparse_layers as sparse_layers
from rigl_tf.sparsity import distributions as distributions
from rigl_tf.sparsity import masks as masks
from rigl_tf.sparsity import schedules as schedules
from rigl_tf.sparsity import structures as granularity
from rigl_tf.training import learning_rates as learning_rates
from rigl_tf.training import longer_training as extension
from rigl_tf.training import losses as losses

__version__ = "0.1.0"
