"""One update of the masks: connections move in every kernel."""

import functools

import tensorflow as tf

from rigl_tf import masks


def move_connections(views, algorithm, request, grow_init, slots_of):
    """Drops and grows connections in every kernel.

    A connection that was active and still is keeps its weight and optimizer
    slots, one that was dropped and grown again among them. All others end
    with zero slots, inactive ones with zero weights, too.

    Args:
        views: `Views` of the kernels.
        algorithm: `Algorithm`.
        request: `Request`.
        grow_init: `GrowInit`.
        slots_of: Function from a kernel variable to the optimizer's variables
            beside it.

    Returns:
        int64 scalar, connections that were inactive before and are active
        now, and the algorithm's next state.
    """
    num_active = masks.count_each(view.mask for view in views)
    num_drop = [
        # The last unit of a kernel is never dropped.
        tf.minimum(tf.cast(num, tf.int64), active - 1)
        for num, active in zip(
            algorithm.num_drop(views, request), num_active, strict=True
        )
    ]

    def drop(kernel, view):
        scores = algorithm.drop(view)
        if algorithm.follows_sparsity:
            return views.granularity.protected(scores, view.mask, kernel.layout)
        return scores

    # In turn, so that only one kernel's temporaries are held at a time.
    cuts, before = [], num_drop
    for place, num in enumerate(num_drop):
        with tf.control_dependencies(before):
            view = views[place]
            scores = drop(views.kernels[place], view)
            cuts.append(masks.drop_cut(view.mask, scores, num))
        before = list(cuts[-1])
    left = views.after(cuts, drop)
    with tf.control_dependencies(before):
        num_grow = algorithm.redistribute(left, num_drop)
        if views.granularity.refills:
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
    for place, kernel in enumerate(views.kernels):
        with tf.control_dependencies([*before, num_changed]):
            view = left[place]
            num_changed += kernel.grow(
                view,
                algorithm.grow,
                num_grow[place],
                views.granularity,
                views.beside_of(kernel),
                functools.partial(
                    grow_init,
                    kernel,
                    seed=tf.random.experimental.stateless_fold_in(view.seed, 2),
                ),
                slots_of(kernel.variable),
            )
    return num_changed, state
