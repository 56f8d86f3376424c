"""The budget of each kernel: how many of its units are active."""

import math

import tensorflow as tf

from rigl_tf.sparsity import schedules


def sizes(kernels, structure):
    """Returns the number of units of each kernel, active or not."""
    return [math.prod(structure.shape(kernel.layout)) for kernel in kernels]


def first_and_largest(algorithm, sparsity, final, sizes):
    """Returns the first and the largest budget of each kernel in training.

    Args:
        algorithm: `Algorithm`.
        sparsity: Function from step to sparsity, or `None` if it is constant.
        final: List of integers, the budget of each kernel in the end.
        sizes: List of integers, as returned by `sizes`.

    Returns:
        Two lists of integers.
    """
    if not algorithm.follows_sparsity:
        return final, final
    if not algorithm.regrows:
        return sizes, sizes
    ends_at = schedules.final_sparsity(sparsity)
    return tuple(
        [int(n) for n in schedules.budgets_at(value, ends_at, sizes, final)]
        for value in (
            schedules.initial_sparsity(sparsity),
            schedules.lowest_sparsity(sparsity),
        )
    )


def at_the_start(state):
    """Returns the first budget of each kernel of a `SparseStep`."""
    first, _ = first_and_largest(
        state.algorithm,
        state.sparsity,
        state.budgets,
        sizes(state.kernels, state.structure),
    )
    return first


def at_this_step(state):
    """Returns the budget of each kernel at the step of a `SparseStep`.

    If each layer has its schedule, a layer whose schedule is not due keeps its
    number of connections.

    Args:
        state: `SparseStep`.

    Returns:
        List of int64 scalars.
    """
    if state.sparsity is None:
        return [tf.constant(budget, tf.int64) for budget in state.budgets]
    all_units = sizes(state.kernels, state.structure)
    if isinstance(state.sparsity, schedules.PerLayerSparsity):
        return [
            _of_layer(state, *each)
            for each in zip(
                state.kernels,
                state.sparsity.schedules_of([k.name for k in state.kernels]),
                all_units,
                state.budgets,
                strict=True,
            )
        ]
    return schedules.budgets_at(
        state.current_sparsity(tf.convert_to_tensor(state.step)),
        state.final_sparsity(),
        all_units,
        state.budgets,
    )


def _of_layer(state, kernel, schedule, size, final):
    """Returns the budget of a kernel that has a schedule of its own."""
    now = tf.convert_to_tensor(state.step)
    if schedule is None:
        return tf.constant(final, tf.int64)
    if hasattr(schedule, "num_active"):
        budget = tf.cast(schedule.num_active(now, size), tf.int64)
    else:
        wanted = schedule(now)
        if schedules.decides_when(schedule):
            wanted = wanted[1]
        (budget,) = schedules.budgets_at(
            wanted, schedules.final_sparsity(schedule), [size], [final]
        )
    is_due = tf.logical_or(
        state.is_due_by(schedule), tf.convert_to_tensor(state.overdue)
    )
    return tf.where(is_due, budget, kernel.num_units(state.structure))
