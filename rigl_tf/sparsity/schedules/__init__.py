"""Schedules of updates, drop fractions and sparsities.

Steps are completed optimizer steps, counted from 0. Schedules are called with a
Python number or, in a graph, with a scalar tensor; they compute in 64-bit
floats.
"""

from rigl_tf.sparsity.schedules.drop_fractions import Constant as Constant
from rigl_tf.sparsity.schedules.drop_fractions import Cosine as Cosine
from rigl_tf.sparsity.schedules.drop_fractions import (
    InversePower as InversePower,
)
from rigl_tf.sparsity.schedules.drop_fractions import (
    PiecewiseConstant as PiecewiseConstant,
)
from rigl_tf.sparsity.schedules.drop_fractions import as_float64 as as_float64
from rigl_tf.sparsity.schedules.drop_fractions import fraction as fraction
from rigl_tf.sparsity.schedules.drop_fractions import fractions as fractions
from rigl_tf.sparsity.schedules.layer_schedules import PerLayer as PerLayer
from rigl_tf.sparsity.schedules.layer_schedules import (
    PerLayerSparsity as PerLayerSparsity,
)
from rigl_tf.sparsity.schedules.layer_schedules import (
    each_sparsity as each_sparsity,
)
from rigl_tf.sparsity.schedules.sparsities import Alternating as Alternating
from rigl_tf.sparsity.schedules.sparsities import (
    ConstantSparsity as ConstantSparsity,
)
from rigl_tf.sparsity.schedules.sparsities import (
    PiecewiseSparsity as PiecewiseSparsity,
)
from rigl_tf.sparsity.schedules.sparsities import (
    PolynomialSparsity as PolynomialSparsity,
)
from rigl_tf.sparsity.schedules.sparsities import budgets_at as budgets_at
from rigl_tf.sparsity.schedules.sparsities import decides_when as decides_when
from rigl_tf.sparsity.schedules.sparsities import falls as falls
from rigl_tf.sparsity.schedules.sparsities import (
    final_sparsity as final_sparsity,
)
from rigl_tf.sparsity.schedules.sparsities import (
    initial_sparsity as initial_sparsity,
)
from rigl_tf.sparsity.schedules.sparsities import (
    lowest_sparsity as lowest_sparsity,
)
from rigl_tf.sparsity.schedules.step_resolution import (
    resolve_steps as resolve_steps,
)
from rigl_tf.sparsity.schedules.steps import progress as progress
from rigl_tf.sparsity.schedules.updates import UpdateSchedule as UpdateSchedule
