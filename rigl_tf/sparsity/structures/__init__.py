"""Granularities: the units that move, single connections or groups of them.

A granularity divides every kernel into units. A mask is the same throughout a
unit, and counts, budgets and scores are of units. A unit's score is the mean
of the magnitudes in it. Where units are connections, it may also say how many
of those that belong together are active.
"""

from rigl_tf.sparsity.structures.base import Granularity as Granularity
from rigl_tf.sparsity.structures.blocks import Blocks as Blocks
from rigl_tf.sparsity.structures.blocks import Connections as Connections
from rigl_tf.sparsity.structures.blocks import Outputs as Outputs
from rigl_tf.sparsity.structures.blocks import Windows as Windows
from rigl_tf.sparsity.structures.constant_fan_in import (
    ConstantFanIn as ConstantFanIn,
)
from rigl_tf.sparsity.structures.groups import Groups as Groups
from rigl_tf.sparsity.structures.n_m import NM as NM
