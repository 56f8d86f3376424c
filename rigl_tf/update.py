"""One update of the masks: connections move in every kernel."""

import collections.abc

import tensorflow as tf

from rigl_tf import layers
from rigl_tf import masks
from rigl_tf import slots
from rigl_tf.algorithms import LayerView


def move_connections(
    kernels, algorithm, optimizer, gradients, fraction, budgets, seed, step
):
    """Drops and grows connections in every trainable kernel.

    A connection that was active and still is keeps its weight and optimizer
    slots. All others end with zeros in both.

    Args:
        kernels: List of `SparseKernel`.
        algorithm: `Algorithm`.
        optimizer: Built `keras.optimizers.Optimizer`.
        gradients: Dictionary from the id of a kernel variable to its dense
            gradient in this replica.
        fraction: Scalar in [0, 1], of active connections to replace.
        budgets: List of int64 scalars, the connections granted to each kernel.
        seed: Integer.
        step: int64 scalar tensor. Random choices depend on it, on `seed` and
            on the place of the kernel in the list.

    Returns:
        int64 scalar, connections that were inactive before and are active now.
    """
    views = _Views(kernels, algorithm, optimizer, gradients, seed, step)
    chosen = views.chosen
    num_drop = [
        # The last connection of a kernel is never dropped.
        tf.minimum(tf.cast(num, tf.int64), num_active - 1)
        for num, num_active in zip(
            algorithm.num_drop(views, fraction, [budgets[i] for i in chosen]),
            masks.count_each(kernels[i].mask for i in chosen),
            strict=True,
        )
    ]
    num_grow = algorithm.redistribute(views, num_drop)
    # In turn, so that only one kernel's temporaries are held at a time.
    num_changed = tf.constant(0, tf.int64)
    in_turn = [*num_drop, *map(tf.convert_to_tensor, num_grow)]
    for place, i in enumerate(chosen):
        with tf.control_dependencies([*in_turn, num_changed]):
            num_changed += _move(
                kernels[i],
                algorithm,
                views[place],
                num_drop[place],
                num_grow[place],
                slots.of(optimizer, kernels[i].variable),
            )
    return num_changed


def _move(kernel, algorithm, view, num_drop, num_grow, kept_beside):
    kept = masks.drop(view.mask, algorithm.drop(view), num_drop)
    with tf.control_dependencies([kept]):
        mask = masks.grow(kept, algorithm.grow(view), num_grow)
    stayed = tf.logical_and(mask, view.mask)
    num_changed = masks.count(tf.not_equal(mask, stayed))
    done = [num_changed, kernel.mask.assign(mask)]
    for variable in (kernel.variable, *kept_beside):
        with tf.control_dependencies([d for d in done if d is not None]):
            done.append(variable.assign(layers.masked(variable, stayed)))
    with tf.control_dependencies([d for d in done if d is not None]):
        return tf.identity(num_changed)


class _Views(collections.abc.Sequence):
    """Builds the view of a kernel when it is asked for.

    Attributes:
        chosen: List of integers, the kernels that have views: the trainable
            ones, and of these the ones that have the gradient if it is needed.
    """

    def __init__(self, kernels, algorithm, optimizer, gradients, seed, step):
        self._kernels = kernels
        self._gradients = gradients if algorithm.needs_gradient else {}
        self._scale = getattr(optimizer, "dynamic_scale", None)
        self._seed = seed
        self._step = step
        self.chosen = [
            i
            for i, kernel in enumerate(kernels)
            if kernel.variable.trainable
            and (
                not algorithm.needs_gradient or id(kernel.variable) in gradients
            )
        ]

    def __len__(self):
        return len(self.chosen)

    def __getitem__(self, place):
        index = self.chosen[place]
        kernel = self._kernels[index]
        gradient = self._gradients.get(id(kernel.variable))
        return LayerView(
            weight=tf.convert_to_tensor(kernel.variable),
            mask=tf.convert_to_tensor(kernel.mask),
            gradient=None if gradient is None else self._averaged(gradient),
            momentum=None,
            seed=tf.random.experimental.stateless_fold_in(
                tf.constant([self._seed, index], tf.int64), self._step
            ),
        )

    def _averaged(self, gradient):
        """The gradient of the mean loss over the batches of all replicas."""
        # Each replica's loss is divided by their number, so they add up.
        gradient = tf.distribute.get_replica_context().all_reduce(
            tf.distribute.ReduceOp.SUM, tf.convert_to_tensor(gradient)
        )
        return gradient if self._scale is None else gradient / self._scale
