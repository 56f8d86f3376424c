"""Pure functions for masks, layer sparsities, schedules and structures."""

from rigl_tf.sparsity import distributions
from rigl_tf.sparsity import masks
from rigl_tf.sparsity import schedules
from rigl_tf.sparsity import structures

__all__ = ["distributions", "masks", "schedules", "structures"]
