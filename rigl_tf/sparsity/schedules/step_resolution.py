"""Resolves steps that a schedule takes from the update schedule."""

import dataclasses
import math
from typing import Any

from rigl_tf.sparsity.schedules.drop_fractions import Cosine
from rigl_tf.sparsity.schedules.drop_fractions import InversePower
from rigl_tf.sparsity.schedules.layer_schedules import PerLayer
from rigl_tf.sparsity.schedules.layer_schedules import PerLayerSparsity
from rigl_tf.sparsity.schedules.sparsities import Alternating
from rigl_tf.sparsity.schedules.sparsities import PolynomialSparsity
from rigl_tf.sparsity.schedules.updates import UpdateSchedule


def resolve_steps(schedule: Any, updates: UpdateSchedule) -> Any:
    """Fills in the `None` steps of a schedule from the update schedule.

    Args:
        schedule: A schedule of this package, or any other callable, which is
            returned unchanged.
        updates: `UpdateSchedule` with an `end_step`.

    Returns:
        A schedule without `None` steps.

    Raises:
        ValueError: If a step is needed that the update schedule does not have.
    """
    if isinstance(schedule, PerLayer | PerLayerSparsity):
        return schedule.map(lambda each: resolve_steps(each, updates))
    ours = Alternating | Cosine | InversePower | PolynomialSparsity
    if not isinstance(schedule, ours):
        return schedule
    end_step = schedule.end_step
    last = end_step  # the last update, where a sparsity must be final
    if end_step is None:
        end_step = updates.end_step
        if end_step is None:
            raise ValueError(
                "`updates` must have an `end_step`. "
                f"Received: updates={updates}. Pass a number of steps; only "
                "`fit` replaces `None`."
            )
        last = max(updates.steps(0, end_step), default=end_step)
    if isinstance(schedule, Alternating):
        period = schedule.period or updates.interval
        return dataclasses.replace(schedule, period=period, end_step=last)
    begin_step = schedule.begin_step
    if begin_step is None:
        begin_step = updates.begin_step
    if schedule.end_step is None and isinstance(schedule, PolynomialSparsity):
        end_step = begin_step + math.ceil(
            schedule.end_fraction * (last - begin_step)
        )
    return dataclasses.replace(
        schedule, begin_step=min(begin_step, end_step), end_step=end_step
    )
