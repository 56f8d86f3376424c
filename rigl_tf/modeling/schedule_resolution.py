"""Fills in open steps of schedules, and warns of updates without effect."""

import dataclasses
import warnings

import tensorflow as tf

from rigl_tf.sparsity import schedules
from rigl_tf.utils import tensors


def complete(
    updates, drop_fraction, sparsity, start, num_steps, steps_per_epoch
):
    """Fills in the steps that depend on the length of the first `fit`.

    Args:
        updates: `UpdateSchedule`.
        drop_fraction: Function from step to fraction.
        sparsity: Function from step to sparsity, or `None`.
        start: Integer, completed steps before this `fit`.
        num_steps: Integer, steps of this `fit`, or `None` if unknown.
        steps_per_epoch: Integer, or `None` if unknown.

    Returns:
        The three schedules without open steps, and a boolean, whether a
        warning was shown.

    Raises:
        ValueError: If a step is open and the number of steps is unknown.
    """
    if updates.end_step is None and num_steps is not None:
        end_step = start + int(num_steps * updates.end_fraction)
        end_step = max(end_step, updates.begin_step)
        updates = dataclasses.replace(updates, end_step=end_step)
    if updates.interval is None:
        updates = dataclasses.replace(updates, interval=steps_per_epoch)
    if schedules.decides_when(sparsity):
        if updates.end_step is not None:  # the drop fraction may need it
            drop_fraction = schedules.resolve_steps(drop_fraction, updates)
        return updates, drop_fraction, sparsity, False
    _check_known(updates)
    drop_fraction = schedules.resolve_steps(drop_fraction, updates)
    sparsity = schedules.resolve_steps(sparsity, updates)
    has_warned = num_steps is not None and _warn(
        updates, sparsity, start, start + num_steps
    )
    return updates, drop_fraction, sparsity, has_warned


def check_interval(algorithm, updates):
    """Raises a ValueError if updates would replace every optimizer step.

    Args:
        algorithm: `Algorithm`.
        updates: `UpdateSchedule`.
    """
    if (
        algorithm.updates_masks
        and algorithm.replaces_step
        and updates.interval == 1
    ):
        raise ValueError(
            f"An update of {type(algorithm).__name__} replaces an optimizer "
            "step, so updates at every step would leave no step for the "
            "weights. Use an interval of at least 2. "
            f"Received: schedule={updates}."
        )


def warn_if_over(updates, start):
    """Warns if a `fit` starts after the last update."""
    if start >= updates.end_step:
        warnings.warn(
            "The masks do not change: without an `end_step`, updates end "
            f"after {updates.end_fraction:.0%} of the first `fit`, here at "
            f"step {updates.end_step}, and this `fit` starts at {start}. To "
            "train in several fits, set the end: "
            "`sparsify(..., schedule=UpdateSchedule(end_step=10_000))`.",
            stacklevel=2,
        )


def check_finite(variables):
    """Raises a ValueError that names a variable that is not finite.

    Args:
        variables: List of `keras.Variable`. Only floats are checked.
    """
    for path in not_finite(variables):
        raise ValueError(
            f"Training needs finite weights. Received: {path!r} with NaN or "
            "infinite values. Load earlier weights, or create the model again."
        )


def not_finite(variables):
    """Returns the paths of float variables that are not finite."""
    floats = tensors.floats(variables)
    if not floats:
        return []
    finite = tf.stack(
        [
            tf.reduce_all(tf.math.is_finite(tf.convert_to_tensor(v)))
            for v in floats
        ]
    )
    return [
        v.path for v, ok in zip(floats, finite.numpy(), strict=True) if not ok
    ]


def _check_known(updates):
    for name, stands_for in (
        ("end_step", f"{updates.end_fraction:.0%} of the first `fit`"),
        ("interval", "an epoch of the first `fit`"),
    ):
        if getattr(updates, name) is None:
            raise ValueError(
                f"The number of steps is unknown, and `{name}` depends on it: "
                f"by default, `{name}` is {stands_for}. Pass a number, "
                f"`sparsify(..., schedule=UpdateSchedule({name}=10_000))`, or "
                "pass `steps_per_epoch` to `fit`."
            )


def _warn(updates, sparsity, start, stop):
    """Warns of updates that will not happen; returns whether it has."""
    due = updates.steps(start, stop)
    if not due and start == 0:
        end = int(stop * updates.end_fraction)
        interval = max(end // 10, 2)
        possible = dataclasses.replace(
            updates, interval=interval, end_step=None
        )
        num = len(possible.steps(start, end))
        hint = "Train longer, or begin earlier."
        if num:
            hint = (
                f"With interval={interval} and end_step=None, there would be "
                f"{num}."
            )
        result = "" if sparsity is None else ", so nothing is pruned"
        warnings.warn(
            f"No update of the masks is due in the {stop} steps of this "
            f"`fit`, with {updates}{result}. {hint}",
            stacklevel=2,
        )
        return True
    if due and sparsity is not None:
        for each in schedules.each_sparsity(sparsity):
            if schedules.decides_when(each):
                continue
            final = schedules.final_sparsity(each)
            reached = float(each(due[-1]))
            if reached < final - 1e-9:
                warnings.warn(
                    f"This `fit` ends at step {stop}, when pruning has reached "
                    f"a sparsity of {reached:.4f} instead of {final:.4f}. "
                    "Train longer, or let the schedule end sooner.",
                    stacklevel=2,
                )
                return True
    return False


def is_traced_for_another_plan(state):
    """Returns whether a traced step has settings that were changed since."""
    return state.traced_plan not in (None, plan(state))


def plan(state):
    """Returns the settings that a traced step has as constants."""
    return (
        state.algorithm,
        state.schedule,
        state.drop_fraction,
        state.sparsity,
        list(state.budgets),
        state.structure,
        state.grow_init,
    )
