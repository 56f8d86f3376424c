"""Fills in steps that schedules leave to the schedule of updates."""

import dataclasses

from rigl_tf.sparsity.schedules.drop_fractions import Cosine
from rigl_tf.sparsity.schedules.drop_fractions import InversePower
from rigl_tf.sparsity.schedules.drop_fractions import PerLayer
from rigl_tf.sparsity.schedules.sparsities import PolynomialSparsity


def complete(schedule, updates):
    """Fills in the steps that a schedule leaves to the update schedule.

    Args:
        schedule: One of the dataclasses above, or any other callable, which
            comes back unchanged.
        updates: `UpdateSchedule` with an `end_step`.
    """
    if isinstance(schedule, PerLayer):
        return schedule.map(lambda each: complete(each, updates))
    if not isinstance(schedule, Cosine | InversePower | PolynomialSparsity):
        return schedule
    begin_step, end_step = schedule.begin_step, schedule.end_step
    if begin_step is None:
        begin_step = updates.begin_step
    if end_step is None:
        end_step = updates.end_step
        due = updates.steps(0, end_step)
        if due and isinstance(schedule, PolynomialSparsity):
            end_step = due[-1]  # so that the last update reaches `final`
    return dataclasses.replace(
        schedule, begin_step=min(begin_step, end_step), end_step=end_step
    )
