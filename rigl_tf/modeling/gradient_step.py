"""The two kinds of steps: apply gradients, or move connections.

`take` runs across replicas, all other functions in each replica. The first
argument of all is a `SparseStep`.
"""

import tensorflow as tf

from rigl_tf.algorithms import Request
from rigl_tf.distribute import replica_sync
from rigl_tf.kernels import Flow
from rigl_tf.kernels import KeepZeros
from rigl_tf.kernels import StoredKernel
from rigl_tf.kernels import UpdateInputs
from rigl_tf.modeling import kernel_views
from rigl_tf.modeling import mask_update
from rigl_tf.sparsity import schedules
from rigl_tf.sparsity import structures as structures
from rigl_tf.utils import optimizer_slots
from rigl_tf.utils import tensors


def take(
    sparse_step, optimizer, gradients, variables, flows, owners, everywhere
):
    """A step whose gradients are finite."""

    def apply():
        with _own_constraints(optimizer, sparse_step.kernels):
            return everywhere(
                apply_masked, sparse_step, optimizer, gradients, variables
            )

    def update_masks():
        if sparse_step.algorithm.replaces_step:
            optimizer_slots.count_step(optimizer)
        else:
            apply()
        sparse_step.overdue.assign(False)
        everywhere(
            move, sparse_step, optimizer, gradients, variables, flows, owners
        )
        if sparse_step.algorithm.replaces_step:
            optimizer_slots.drop_accumulated(optimizer)
        return tf.constant(0)

    def whole_step():
        if not sparse_step.algorithm.updates_masks:
            apply()
        else:
            tf.cond(sparse_step.is_due(), update_masks, apply)
        sparse_step.step.assign_add(1)
        return tf.constant(0)

    def accumulate():
        with _own_constraints(optimizer, sparse_step.kernels):
            return everywhere(
                accumulate_gradients,
                sparse_step,
                optimizer,
                gradients,
                variables,
            )

    sparse_step.num_skipped_last.assign(0)
    if optimizer_slots.accumulation_steps(optimizer) == 1:
        return whole_step()
    return tf.cond(
        optimizer_slots.completes_accumulation(optimizer),
        whole_step,
        accumulate,
    )


def check_records(sparse_step, optimizer, records):
    """Raises a ValueError if an update needs gradients that are not known."""
    stored = [
        k.name for k in sparse_step.kernels if isinstance(k, StoredKernel)
    ]
    if not stored or not sparse_step.algorithm.needs_gradient:
        return
    name = type(sparse_step.algorithm).__name__
    if records is None:
        raise ValueError(
            f"{name} needs the gradient of inactive connections, and "
            f"{', '.join(stored)} store active ones only: only the "
            "sparse model's own `fit` and `train_step` can compute it. "
            "Use them, or storage='dense'."
        )
    if optimizer_slots.accumulation_steps(optimizer) > 1:
        raise ValueError(
            f"{name} needs the accumulated gradient of inactive "
            f"connections, and {', '.join(stored)} store active ones "
            "only. Leave `gradient_accumulation_steps` out, or use "
            "storage='dense'."
        )


def apply_masked(sparse_step, optimizer, gradients, variables):
    """Steps the optimizer with the gradients of active connections."""
    dense = dict(zip(map(id, variables), gradients, strict=True))
    passed = dict(dense)
    num_batches = optimizer_slots.accumulation_steps(optimizer)
    scale = _gradient_scale(optimizer) * num_batches
    single = structures.Unstructured()
    for kernel, view in _views(sparse_step, single, {}).pairs():
        gradient = passed.get(id(kernel.variable))
        if gradient is None:
            continue
        extra = sparse_step.algorithm.perturb(view, optimizer.learning_rate)
        if extra is not None:
            extra = tensors.masked(extra, view.mask)
            gradient += tf.cast(extra, gradient.dtype) * tf.cast(
                scale, gradient.dtype
            )
        passed[id(kernel.variable)] = kernel.masked(gradient)
    tracked = {}
    if sparse_step.algorithm.tracks_gradient:
        tracked = _dense(sparse_step, optimizer, dense)
    if num_batches > 1:
        for kernel in sparse_step.kernels:
            if id(kernel.variable) in passed:
                sum_so_far = optimizer_slots.accumulated(
                    optimizer, kernel.variable
                )
                sum_so_far.assign(kernel.masked(sum_so_far))
    # A branch of `tf.cond` must not return tensors from outside.
    optimizer.apply([tf.identity(g) for g in passed.values()], variables)
    if tracked:
        for kernel, view in _views(sparse_step, single, tracked).pairs():
            running = sparse_step.momenta[sparse_step.kernels.index(kernel)]
            running.assign(sparse_step.algorithm.track(view))


def accumulate_gradients(sparse_step, optimizer, gradients, variables):
    """Adds gradients to the sum over the batches of a step.

    Gradients stay dense if an update needs the inactive ones. The last batch
    of a step masks the sum.
    """
    looks = (
        sparse_step.algorithm.needs_gradient
        or sparse_step.algorithm.tracks_gradient
    )
    by_variable = {id(k.variable): k for k in sparse_step.kernels}
    passed = [
        tf.identity(gradient)
        if looks or id(variable) not in by_variable
        else by_variable[id(variable)].masked(gradient)
        for gradient, variable in zip(gradients, variables, strict=True)
    ]
    optimizer.apply(passed, variables)


def move(sparse_step, optimizer, gradients, variables, flows, owners):
    """Moves connections in every trainable kernel."""
    algorithm = sparse_step.algorithm
    dense = dict(zip(map(id, variables), gradients, strict=True))
    if algorithm.needs_gradient:
        dense = _dense(sparse_step, optimizer, dense)
    else:
        dense = {}
    seen = _views(
        sparse_step,
        sparse_step.granularity,
        dense,
        optimizer,
        _of_all_replicas(optimizer, flows, owners),
    )
    budgets = sparse_step.current_budgets()
    pruning = sparse_step.sparsity is not None  # goes by its budgets alone
    request = Request(
        fractions=[0.0] * len(seen)
        if pruning
        else schedules.fractions(
            sparse_step.drop_fraction,
            seen.step,
            [kernel.name for kernel in seen.kernels],
        ),
        budgets=[budgets[i] for i in seen.indices],
        state={
            name: tf.convert_to_tensor(variable)
            for name, variable in sparse_step.state.items()
        },
    )
    num_changed, state = mask_update.move_connections(
        seen,
        algorithm,
        request,
        sparse_step.grow_init,
        lambda variable: [
            (slot, optimizer_slots.initial_value(optimizer, slot))
            for slot in optimizer_slots.of(optimizer, variable)
        ],
    )
    sparse_step.num_updates.assign_add(1)
    sparse_step.num_changed.assign_add(num_changed)
    for name, variable in sparse_step.state.items():
        variable.assign(state[name])


def _dense(sparse_step, optimizer, gradients):
    """Returns gradients of the loss, by the id of a kernel's variable.

    Each gradient is the sum over all replicas and the mean over all batches of
    a step, without the loss scale and without weight decay.
    """
    dense = {}
    num_batches = optimizer_slots.accumulation_steps(optimizer)
    for kernel in sparse_step.kernels:
        variable = kernel.variable
        gradient = gradients.get(id(variable))
        if gradient is None:
            continue
        gradient = tf.convert_to_tensor(gradient)
        gradient /= tf.cast(
            optimizer_slots.loss_scale(optimizer), gradient.dtype
        )
        if num_batches > 1:
            gradient += optimizer_slots.accumulated(optimizer, variable)
            gradient /= num_batches
        # Each replica's loss is divided by their number, so they add up.
        gradient = replica_sync.total(gradient)
        if variable.regularizer is not None:
            gradient -= _gradient_of_decay(variable, gradient.dtype)
        dense[id(variable)] = gradient
    return dense


def _views(sparse_step, granularity, gradients, optimizer=None, flows=()):
    """Views of the trainable kernels, or of those that have a gradient.

    A kernel that the optimizer does not train stays unchanged.
    """
    chosen = [
        (i, kernel)
        for i, kernel in enumerate(sparse_step.kernels)
        if kernel.variable.trainable
        and (not gradients or id(kernel.variable) in gradients)
        and (
            optimizer is None
            or optimizer_slots.knows(optimizer, kernel.variable)
        )
    ]
    return kernel_views.KernelViews(
        kernels=[kernel for _, kernel in chosen],
        indices=[i for i, _ in chosen],
        granularity=granularity,
        seed=sparse_step.seed,
        step=tf.convert_to_tensor(sparse_step.step),
        inputs=[
            UpdateInputs(
                gradient=gradients.get(id(kernel.variable)),
                momentum=_momentum(sparse_step, i, optimizer),
                sign=None
                if sparse_step.signs is None
                else sparse_step.signs[i],
                flows=[f for f in flows if f.variable is kernel.variable],
            )
            for i, kernel in chosen
        ],
    )


def _momentum(sparse_step, i, optimizer):
    if sparse_step.momenta is not None:
        return sparse_step.momenta[i]
    if sparse_step.algorithm.needs_momentum and optimizer is not None:
        return optimizer_slots.momentum(
            optimizer, sparse_step.kernels[i].variable
        )
    return None


def put_back(optimizer, state, before):
    """Undoes what the forward pass of a bad batch has changed."""
    for variable, value in zip(state, before, strict=True):
        variable.assign(value)
    optimizer_slots.lower_loss_scale(optimizer)


def _gradient_of_decay(variable, dtype):
    """The part of a gradient that comes from the kernel's regularizer."""
    weights = tf.convert_to_tensor(variable)
    with tf.GradientTape() as tape:
        tape.watch(weights)
        penalty = variable.regularizer(weights)
    gradient = tape.gradient(penalty, weights)
    return tf.zeros([], dtype) if gradient is None else tf.cast(gradient, dtype)


def _gradient_scale(optimizer):
    """The factor of a replica's gradient before it is applied."""
    num_replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return optimizer_slots.loss_scale(optimizer) / num_replicas


def _of_all_replicas(optimizer, flows, owners):
    """Returns a `Flow` for each layer, with the examples of all replicas."""
    replica = tf.distribute.get_replica_context()
    gathered = []
    for owner, flow in zip(owners, flows, strict=True):
        if replica.num_replicas_in_sync > 1:
            flow = replica.all_gather(list(flow), axis=0)
        inputs, gradient = flow
        gradient /= optimizer_slots.loss_scale(optimizer)
        gathered.append(Flow(owner, inputs, gradient))
    return gathered


def count_non_finite(gradients):
    """Counts the gradients that are not finite, an int32 scalar.

    If a sum is finite, all its terms are; a sum reads the values once, where a
    test of every number takes three passes. The numbers are tested only if a
    sum is not finite, because it may have overflowed (float16: above 65,504).
    """
    values = [getattr(gradient, "values", gradient) for gradient in gradients]

    def count(are_finite):
        return tf.reduce_sum(tf.cast(~tf.stack(are_finite), tf.int32))

    def each():
        finite = [tf.reduce_all(tf.math.is_finite(value)) for value in values]
        return count(finite)

    sums = [tf.math.is_finite(tf.reduce_sum(value)) for value in values]
    return tf.cond(count(sums) == 0, lambda: tf.constant(0), each)


class _own_constraints:
    """Lets an optimizer see the user's own constraints, without the masks.

    Where it may make zeros other than zero, `KeepZeros` stays.
    """

    def __init__(self, optimizer, kernels):
        keeps_zeros = optimizer_slots.keeps_zeros(optimizer)
        self._constraints = []
        for kernel in kernels:
            constraint = kernel.variable.constraint
            if isinstance(constraint, KeepZeros):
                quiet = KeepZeros(constraint.mask, constraint.inner)
                if keeps_zeros and constraint.inner is None:
                    quiet = None
                self._constraints.append((kernel.variable, constraint, quiet))

    def __enter__(self):
        for variable, _, quiet in self._constraints:
            variable.constraint = quiet

    def __exit__(self, *error):
        for variable, constraint, _ in self._constraints:
            variable.constraint = constraint
