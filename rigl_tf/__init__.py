"""Sparse training for Keras 3 on TensorFlow.

    model = rigl_tf.sparsify(model, "rigl", sparsity=0.9)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=5, callbacks=[rigl_tf.SparsityMonitor()])
    plain = rigl_tf.densify(model)

Make a model sparse, train it, and make it plain again:
    sparsify, densify, SparseModel, SparseOptimizer, SparseTraining, Sparse,
    sparse_layers
Options of sparse training:
    algorithms, distributions, schedules, structures, grow_init, masks
Find a sparse network before training, or prune a trained one:
    tickets, tfmot
Inspect and resume training:
    summary, flops, SparsityMonitor, Checkpoint
Deploy a trained model:
    export, shrink, condense, deploy
Train on several devices:
    strategies, distribute
Run whole experiments:
    experiments, datasets, models, training, results, papers
"""

import importlib
from typing import TYPE_CHECKING
from typing import Any

from rigl_tf import algorithms
from rigl_tf import models
from rigl_tf import tfmot
from rigl_tf import tickets
from rigl_tf import training
from rigl_tf.analysis import flops
from rigl_tf.analysis.model_summary import summary
from rigl_tf.callbacks import Checkpoint
from rigl_tf.callbacks import SparseTraining
from rigl_tf.callbacks import SparsityMonitor
from rigl_tf.deploy import export
from rigl_tf.deploy.condensing import condense
from rigl_tf.deploy.shrinking import shrink
from rigl_tf.distribute import strategies
from rigl_tf.modeling import grow_init
from rigl_tf.modeling.convert import densify
from rigl_tf.modeling.convert import sparsify
from rigl_tf.modeling.sparse_model import SparseModel
from rigl_tf.modeling.sparse_optimizer import SparseOptimizer
from rigl_tf.modeling.sparse_wrapper import Sparse
from rigl_tf.modeling.sparse_wrapper import sparse_layers
from rigl_tf.sparsity import distributions
from rigl_tf.sparsity import masks
from rigl_tf.sparsity import schedules
from rigl_tf.sparsity import structures

if TYPE_CHECKING:
    from rigl_tf import datasets
    from rigl_tf import deploy
    from rigl_tf import distribute
    from rigl_tf import experiments
    from rigl_tf import papers
    from rigl_tf import results

# Packages that `fit` does not need are imported on first use.
_LAZY = {"datasets", "deploy", "distribute", "experiments", "papers", "results"}
__all__ = [
    "Checkpoint",
    "Sparse",
    "SparseModel",
    "SparseOptimizer",
    "SparseTraining",
    "SparsityMonitor",
    "algorithms",
    "condense",
    "datasets",
    "densify",
    "deploy",
    "distribute",
    "distributions",
    "experiments",
    "export",
    "flops",
    "grow_init",
    "masks",
    "models",
    "papers",
    "results",
    "schedules",
    "shrink",
    "sparse_layers",
    "sparsify",
    "strategies",
    "structures",
    "summary",
    "tfmot",
    "tickets",
    "training",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return importlib.import_module(f"rigl_tf.{name}")
    raise AttributeError(f"module 'rigl_tf' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
