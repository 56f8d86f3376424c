"""Sparsity structures: unstructured, blocks, kernels, filters, N:M, fan-in.

A structure divides every kernel into units. All connections of a unit are
active or inactive together, and counts, budgets and scores refer to units. The
score of a unit is the mean of the magnitudes in it. If units are single
connections, a structure may also fix the number of active connections in each
group.
"""

from rigl_tf.sparsity.structures.base import Structure as Structure
from rigl_tf.sparsity.structures.blocks import Blocks as Blocks
from rigl_tf.sparsity.structures.blocks import Filters as Filters
from rigl_tf.sparsity.structures.blocks import Kernels2D as Kernels2D
from rigl_tf.sparsity.structures.blocks import Unstructured as Unstructured
from rigl_tf.sparsity.structures.constant_fan_in import (
    ConstantFanIn as ConstantFanIn,
)
from rigl_tf.sparsity.structures.groups import (
    GroupedSparsity as GroupedSparsity,
)
from rigl_tf.sparsity.structures.n_m import NM as NM
