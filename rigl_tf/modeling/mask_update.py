"""The step that moves connections.

`update_masks` runs in each replica. Its arguments are a `SparseStep` and a
`Batch`.
"""

import collections.abc
import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from rigl_tf.algorithms import Request
from rigl_tf.algorithms import redistribution
from rigl_tf.distribute import replica_sync
from rigl_tf.kernels import UpdateInputs
from rigl_tf.modeling import user_scores
from rigl_tf.sparsity import masks
from rigl_tf.sparsity import schedules
from rigl_tf.utils import optimizer_slots


def update_masks(state, batch):
    """Moves connections in every kernel that the optimizer trains."""
    gradients = [None] * len(state.kernels)
    if state.algorithm.needs_gradient:
        gradients = loss_gradients(state, batch)
    algorithm, optimizer = state.algorithm, batch.optimizer
    updated = [
        i
        for i, kernel in enumerate(state.kernels)
        if kernel.variable.trainable
        and optimizer_slots.knows(optimizer, kernel.variable)
    ]
    if algorithm.needs_gradient:
        updated = [i for i in updated if gradients[i] is not None]
    if not updated:
        return
    flows = _of_all_replicas(batch)
    kernels = [state.kernels[i] for i in updated]
    progress, traced = state.progress(), {}
    inputs = [
        inputs_of(
            state,
            batch,
            i,
            progress,
            gradient=gradients[i],
            flows=[f for f in flows if f.variable is kernel.variable],
            structure=state.structure,
            grow_init=state.grow_init,
            traced=traced,
            slots=[
                (slot, optimizer_slots.initial_value(optimizer, slot))
                for slot in optimizer_slots.of(optimizer, kernel.variable)
            ],
        )
        for i, kernel in zip(updated, kernels, strict=True)
    ]
    budgets = state.current_budgets()
    only_prunes = algorithm.follows_sparsity and not algorithm.regrows
    request = Request(
        fractions=[0.0] * len(kernels)
        if only_prunes
        else schedules.fractions(
            state.drop_fraction,
            tf.convert_to_tensor(state.step),
            [kernel.name for kernel in kernels],
        ),
        budgets=[budgets[i] for i in updated],
        state={
            name: tf.convert_to_tensor(variable)
            for name, variable in state.state.items()
        },
    )
    num_changed, next_state = move_connections(
        kernels, inputs, algorithm, request
    )
    state.num_updates.assign_add(1)
    state.num_changed.assign_add(num_changed)
    for name, variable in state.state.items():
        variable.assign(next_state[name])


def loss_gradients(state, batch):
    """Returns the gradients of the loss, in the order of kernels.

    Each is the sum over all replicas and the mean over all batches of a step,
    without the loss scale and without weight decay; `None` for a kernel that
    the loss does not depend on. Sums are in float32 under every policy: in
    bfloat16, a small gradient would vanish next to a large one.
    """
    optimizer = batch.optimizer
    num_batches = optimizer_slots.accumulation_steps(optimizer)
    scale = optimizer_slots.loss_scale(optimizer)
    is_scaled = not isinstance(scale, float | int) or scale != 1

    def gradient_of(kernel, place):
        variable = kernel.variable
        gradient = tf.convert_to_tensor(batch.gradients[place])
        gradient = tf.cast(gradient, kernel.view_dtype)
        if batch.is_total:
            return gradient
        if is_scaled:  # a division needs memory
            gradient /= tf.cast(scale, gradient.dtype)
        if num_batches > 1:
            sum_so_far = optimizer_slots.accumulated(optimizer, variable)
            gradient += tf.cast(sum_so_far, gradient.dtype)
            gradient /= num_batches
        # Each replica's loss is divided by their number, so they add up.
        gradient = replica_sync.total(gradient)
        if variable.regularizer is not None:
            gradient -= _gradient_of_decay(variable, gradient.dtype)
        return gradient

    places = batch.places(state.kernels)
    return [
        None if place is None else gradient_of(kernel, place)
        for kernel, place in zip(state.kernels, places, strict=True)
    ]


def inputs_of(state, batch, i, progress, **others) -> UpdateInputs:
    """Returns the inputs of an update of a kernel, except its weights.

    Args:
        state: `SparseStep`.
        batch: `Batch`.
        i: Integer, the index of the kernel in `state.kernels`.
        progress: `state.progress()`, computed once for all kernels.
        **others: Further attributes of `UpdateInputs`.
    """
    momentum = None
    if state.momenta is not None:
        momentum = state.momenta[i]
    elif state.algorithm.needs_momentum:
        momentum = optimizer_slots.momentum(
            batch.optimizer, state.kernels[i].variable
        )
    return UpdateInputs(
        momentum=momentum,
        sign=None if state.signs is None else state.signs[i],
        seed=tf.random.fold_in(
            tf.stack([tf.convert_to_tensor(state.seed_variable), i]),
            tf.convert_to_tensor(state.step),  # pyright: ignore[reportArgumentType]
        ),
        progress=progress,
        **others,
    )


@dataclasses.dataclass(frozen=True)
class _Views(collections.abc.Sequence):
    """A sequence that builds the view of a kernel on access.

    Attributes:
        kernels: List of `SparseKernel`.
        inputs: List of `UpdateInputs`.
        mask_after_drop: Function from the index of a kernel and its view
            before the drop to the mask after it; `None` before the drop.
    """

    kernels: list
    inputs: list
    mask_after_drop: Callable | None = None

    @property
    def structure(self):
        return self.inputs[0].structure

    def __len__(self):
        return len(self.kernels)

    def __getitem__(self, index):
        view = self.kernels[index].view(self.inputs[index])
        if self.mask_after_drop is None:
            return view
        kept = self.mask_after_drop(index, view)
        # Computed after the mask, so that both do not need memory at once.
        with tf.control_dependencies([kept]):
            return dataclasses.replace(
                view,
                mask=kept,
                gradient=_same(view.gradient),
                momentum=_same(view.momentum),
            )


def move_connections(kernels, inputs, algorithm, request):
    """Drops and grows connections in every kernel.

    A connection that is active before and after keeps its weight and optimizer
    slots, also if it was dropped and grown again. The exception is a weight
    without the sign that the algorithm has fixed. The slots of all other
    connections get the optimizer's initial values, and inactive connections
    get zero weights.

    If layers share units of unequal size, the total number of connections is
    the total of the budgets, as nearly as whole units allow.

    Args:
        kernels: List of `SparseKernel`.
        inputs: List of `UpdateInputs`, one for each kernel, all with the same
            `structure`.
        algorithm: `Algorithm`.
        request: `Request`.

    Returns:
        int64 scalar, connections that were inactive before and are active
        now, and the algorithm's next state.
    """
    views = _Views(kernels, inputs)
    num_active = masks.count_each(view.mask for view in views)
    if algorithm.follows_sparsity:
        budgets = _allocate(views, num_active, algorithm, request)
        request = request._replace(budgets=budgets)
    num_drop = [
        # The last unit of a kernel is never dropped.
        tf.minimum(tf.cast(num, tf.int64), active - 1)
        for num, active in zip(
            algorithm.num_drop(views, request), num_active, strict=True
        )
    ]
    left, done = _drop(views, num_drop, algorithm)
    with tf.control_dependencies(done):
        num_grow = _num_grow(left, num_active, num_drop, algorithm, request)
    with tf.control_dependencies([*done, *num_grow]):
        state = algorithm.next_state(left, request, num_drop)
    num_changed = tf.constant(0, tf.int64)
    done += [*num_grow, *state.values()]
    for i, kernel in enumerate(kernels):
        with tf.control_dependencies([*done, num_changed]):
            num_changed += kernel.grow(
                left[i],
                functools.partial(_grow_scores, algorithm),
                num_grow[i],
                inputs[i],
            )
    return num_changed, state


def _grow_scores(algorithm, tile):
    """Returns the functions of `algorithm.grow(tile)`, which check scores."""
    with user_scores.explained(tile, algorithm, "grow"):
        functions = masks.score_functions(algorithm.grow(tile))
    return [
        lambda f=f: user_scores.checked(f, tile, algorithm, "grow")
        for f in functions
    ]


def _allocate(views, num_active, algorithm, request):
    """Returns the units of each kernel after the update, as int64 scalars."""
    budgets = algorithm.allocate(views, request)
    if algorithm.moves_between_layers:
        sizes = views.structure.unequal_sizes(views.kernels)
        if sizes:
            budgets = redistribution.in_whole_units(
                budgets,
                [np.mean(each) for each in sizes],
                views.structure.connections_in(views.kernels, request.budgets),
                [view.size for view in views]
                if algorithm.regrows
                else num_active,
            )
    return budgets


def _drop(views, num_drop, algorithm):
    """Returns the views after the drop, and tensors that come before them."""

    def scores_of(i, view):
        scores = user_scores.checked(
            lambda: algorithm.drop(view), view, algorithm, "drop"
        )
        if algorithm.follows_sparsity:
            layout = views.kernels[i].layout
            return views.structure.protect(scores, view.mask, layout)
        return scores

    # In turn, so that only one kernel's temporaries are held at a time.
    thresholds, done = [], num_drop
    for i, num in enumerate(num_drop):
        with tf.control_dependencies(done):
            view = views[i]
            scores = scores_of(i, view)
            thresholds.append(masks.drop_threshold(view.mask, scores, num))
        done = list(thresholds[-1])

    def mask_after_drop(i, view):
        scores = scores_of(i, view)
        return masks.mask_after_drop(view.mask, scores, thresholds[i])

    return dataclasses.replace(views, mask_after_drop=mask_after_drop), done


def _num_grow(left, num_active, num_drop, algorithm, request):
    """Returns how many units each kernel grows, as int64 scalars."""
    num_grow = algorithm.redistribute(left, num_drop, request)
    if algorithm.moves_between_layers and not algorithm.follows_sparsity:
        sizes = left.structure.unequal_sizes(left.kernels)
        if sizes:
            asked = left.structure.connections_in(left.kernels, request.budgets)
            num_grow = redistribution.in_whole_units(
                num_grow,
                [np.max(each) for each in sizes],
                asked - _num_active(left, sizes),
                [
                    view.size - num + drop
                    for view, num, drop in zip(
                        left, num_active, num_drop, strict=True
                    )
                ],
            )
    if left.structure.refill_to_budget:
        num_grow = [
            num + budget - active
            for num, budget, active in zip(
                num_grow, request.budgets, num_active, strict=True
            )
        ]
    return [tf.convert_to_tensor(num) for num in num_grow]


def _num_active(views, sizes):
    """Counts the connections in all active units, as an int64 scalar."""
    total = tf.zeros([], tf.int64)
    for i, each in enumerate(sizes):
        # In turn, so that only one kernel's temporaries are held at a time.
        with tf.control_dependencies([total]):
            active = tf.cast(views[i].mask, tf.int64)
            total += tf.reduce_sum(active * each)
    return total


def _same(tensor):
    return None if tensor is None else tf.identity(tensor)


def _gradient_of_decay(variable, dtype) -> tf.Tensor:
    """Returns the gradient of the kernel's regularizer."""
    weights = tf.convert_to_tensor(variable)
    with tf.GradientTape() as tape:
        tape.watch(weights)
        penalty = variable.regularizer(weights)
    gradient: Any = tape.gradient(penalty, weights)
    return tf.zeros([], dtype) if gradient is None else tf.cast(gradient, dtype)


def _of_all_replicas(batch):
    """Returns the flows of a batch with the examples of all replicas."""
    replica = tf.distribute.get_replica_context()
    gathered = []
    for flow in batch.flows:
        inputs, outputs = flow.inputs, flow.outputs
        if replica.num_replicas_in_sync > 1:
            inputs, outputs = replica.all_gather([inputs, outputs], axis=0)
        if not batch.is_total:
            outputs /= optimizer_slots.loss_scale(batch.optimizer)
        gathered.append(flow._replace(inputs=inputs, outputs=outputs))
    return gathered
