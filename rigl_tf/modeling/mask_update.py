"""One update of the masks: connections move in every kernel."""

import numpy as np
import tensorflow as tf

from rigl_tf.algorithms import redistribution
from rigl_tf.sparsity import masks


def move_connections(views, algorithm, request, grow_init, slots_of):
    """Drops and grows connections in every kernel.

    A connection that was active and still is keeps its weight and optimizer
    slots, also if it was dropped and grown again, unless its weight does not
    have the sign that the algorithm has fixed. All other connections end with
    the slots that the optimizer starts with, and inactive connections with
    zero weights.

    Where layers share units of unequal size, all layers together keep to the
    connections of their budgets, as near as whole units allow.

    Args:
        views: `KernelViews`.
        algorithm: `Algorithm`.
        request: `Request`.
        grow_init: `GrowInit`.
        slots_of: Function from a kernel variable to the optimizer's variables
            of the same shape, each in a pair with its initial value.

    Returns:
        int64 scalar, connections that were inactive before and are active
        now, and the algorithm's next state.
    """
    num_active = masks.count_each(view.mask for view in views)
    num_drop = algorithm.num_drop(views, request)
    shared = None
    if algorithm.moves_between_layers:
        shared = views.granularity.unequal_sizes(views.kernels)
        asked = views.granularity.connections_in(views.kernels, request.budgets)
    if shared and algorithm.follows_sparsity:
        kept = redistribution.in_whole_units(
            [a - n for a, n in zip(num_active, num_drop, strict=True)],
            [np.mean(sizes) for sizes in shared],
            asked,
            num_active,
        )
        num_drop = [a - n for a, n in zip(num_active, kept, strict=True)]
    num_drop = [
        # The last unit of a kernel is never dropped.
        tf.minimum(tf.cast(num, tf.int64), active - 1)
        for num, active in zip(num_drop, num_active, strict=True)
    ]

    def drop_scores(kernel, view):
        scores = algorithm.drop(view)
        if algorithm.follows_sparsity:
            return views.granularity.protect(scores, view.mask, kernel.layout)
        return scores

    # In turn, so that only one kernel's temporaries are held at a time.
    thresholds, before = [], num_drop
    for i, (kernel, num) in enumerate(
        zip(views.kernels, num_drop, strict=True)
    ):
        with tf.control_dependencies(before):
            view = views[i]
            scores = drop_scores(kernel, view)
            thresholds.append(masks.drop_threshold(view.mask, scores, num))
        before = list(thresholds[-1])
    left = views.after_drop(thresholds, drop_scores)
    with tf.control_dependencies(before):
        num_grow = algorithm.redistribute(left, num_drop, request)
        if shared and not algorithm.follows_sparsity:
            num_grow = redistribution.in_whole_units(
                num_grow,
                [np.max(sizes) for sizes in shared],
                asked - _num_active(left, shared),
                [
                    view.size - num + drop
                    for view, num, drop in zip(
                        left, num_active, num_drop, strict=True
                    )
                ],
            )
        if views.granularity.refill_to_budget:
            num_grow = [
                num + budget - active
                for num, budget, active in zip(
                    num_grow, request.budgets, num_active, strict=True
                )
            ]
        num_grow = [tf.convert_to_tensor(num) for num in num_grow]
    with tf.control_dependencies([*before, *num_grow]):
        state = algorithm.next_state(left, request, num_drop)
    num_changed = tf.constant(0, tf.int64)
    before += [*num_grow, *state.values()]
    for i, kernel in enumerate(views.kernels):
        with tf.control_dependencies([*before, num_changed]):
            inputs = views.inputs_of(
                i, grow_init=grow_init, slots=slots_of(kernel.variable)
            )
            num_changed += kernel.grow(
                left[i], algorithm.grow, num_grow[i], inputs
            )
    return num_changed, state


def _num_active(views, sizes):
    """Counts the connections in all active units, as an int64 scalar."""
    total = tf.zeros([], tf.int64)
    for i, each in enumerate(sizes):
        # In turn, so that only one kernel's temporaries are held at a time.
        with tf.control_dependencies([total]):
            active = tf.cast(views[i].mask, tf.int64)
            total += tf.reduce_sum(active * each)
    return total
