"""One step of training: apply gradients, move connections, or skip."""

import keras
import tensorflow as tf
from keras import tree

from rigl_tf import granularity
from rigl_tf import replicas
from rigl_tf import schedules
from rigl_tf import slots
from rigl_tf import storage
from rigl_tf import tensors
from rigl_tf import update
from rigl_tf import views
from rigl_tf.algorithms import Request


def train_step(model, data):
    """What `SparseModel.train_step` does with a batch.

    Args:
        model: `SparseModel`, compiled.
        data: What Keras passes to `train_step`.

    Returns:
        Dictionary from metric to value.
    """
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    # What a forward pass changes: moving averages, metrics. Read first, so
    # that a step that is skipped can put it back.
    moving = model.moving
    state = moving + tensors.floats(model.metrics_variables)
    before = [tf.identity(v.value) for v in state]
    num_examples = tf.shape(tree.flatten(x)[0])[0]
    num_replicas = tf.distribute.get_strategy().num_replicas_in_sync

    with tf.GradientTape() as tape:
        with storage.recording() as flows:
            y_pred = model(x, training=True)
        loss = model.compute_loss(
            x=x,
            y=y,
            y_pred=y_pred,
            sample_weight=sample_weight,
            training=True,
        )
        loss *= num_replicas  # by which Keras has divided it
        if num_replicas > 1:  # their batches may differ in size, or be empty
            seen = tf.cast(num_examples > 0, loss.dtype)
            loss = tf.math.multiply_no_nan(loss, seen)
        model._loss_tracker.update_state(loss, sample_weight=num_examples)
        if num_replicas > 1:
            share = replicas.share(num_examples)
            loss *= tf.cast(share, loss.dtype)
        loss = model.optimizer.scale_loss(loss)
    if num_replicas > 1:
        replicas.average(moving, share)
    variables = model.trainable_variables
    if not model.algorithm.needs_gradient:
        flows = []
    found = tape.gradient(loss, [*variables, *(f.outputs for f in flows)])
    # What passes through layers that store no dense kernel.
    owners = [f.variable for f in flows]
    passed = [
        (f.inputs, tf.zeros_like(f.outputs) if gradient is None else gradient)
        for f, gradient in zip(flows, found[len(variables) :], strict=True)
    ]
    pairs = [
        (gradient, variable)
        for gradient, variable in zip(found, variables, strict=False)
        if gradient is not None
    ]
    if not pairs:
        raise ValueError(
            "The loss does not depend on any trainable weight. Check the "
            "model's outputs, and that some layer is trainable."
        )
    gradients, variables = zip(*pairs, strict=True)
    if num_replicas > 1:
        gradients = _nothing_of_nothing(gradients, num_examples)
    logs = model.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    replica = tf.distribute.get_replica_context()
    num_bad = replica.all_reduce(
        tf.distribute.ReduceOp.SUM,
        _count_non_finite([*gradients, *tree.flatten(passed)]),
    )

    def choose(strategy, num_bad, gradients, passed, before):
        """Skips the step, moves connections, or applies gradients.

        Across replicas, because an optimizer cannot be applied in a branch
        inside one (Keras merges replicas there).
        """
        num_bad = strategy.experimental_local_results(num_bad)[0]

        def everywhere(function, *args):
            strategy.extended.call_for_each_replica(
                function, args=(model, *args)
            )
            return tf.constant(0)

        def apply():
            with _constraints_off(model.optimizer, model.kernels):
                return everywhere(_apply, gradients, variables)

        def update_masks():
            if not model.algorithm.replaces_step:
                apply()
            model.overdue.assign(False)
            return everywhere(move, gradients, variables, passed, owners)

        def skip():
            model.num_skipped.assign(model.num_skipped + 1)
            model.num_skipped_last.assign(model.num_skipped_last + 1)
            model.overdue.assign(model.is_due())
            return everywhere(_put_back, state, before)

        def step():
            model.num_skipped_last.assign(0)
            if not model.algorithm.updates_masks:
                return apply()
            return tf.cond(model.is_due(), update_masks, apply)

        tf.cond(num_bad == 0, step, skip)
        model.step.assign(model.step + 1)

    replica.merge_call(choose, args=(num_bad, list(gradients), passed, before))
    return logs


def _apply(model, gradients, variables):
    """Steps the optimizer with the gradient of active connections."""
    dense = dict(zip(map(id, variables), gradients, strict=True))
    shown = dict(dense)
    optimizer = model.optimizer
    single = granularity.Connections()
    for kernel, view in _views(model, single, {}).pairs():
        gradient = shown.get(id(kernel.variable))
        if gradient is None:
            continue
        extra = model.algorithm.perturb(view, optimizer.learning_rate)
        if extra is not None:
            gradient += tf.cast(extra, gradient.dtype) * _gradient_scale(model)
        shown[id(kernel.variable)] = kernel.masked(gradient)
    # A branch must hand on tensors of its own.
    optimizer.apply([tf.identity(g) for g in shown.values()], variables)
    if model.algorithm.tracks_gradient:
        for kernel, view in _views(model, single, dense).pairs():
            running = model.momenta[id(kernel.variable)]
            running.assign(model.algorithm.track(view))


def move(model, gradients, variables, passed=(), owners=()):
    """Moves connections in every trainable kernel.

    Args:
        model: `SparseModel`, compiled.
        gradients: List of dense gradients, of the mean loss of this replica.
        variables: List of the variables they belong to.
        passed: List of pairs: what came into a layer that stores no dense
            kernel, and the gradient with respect to what left it.
        owners: List of the kernel variables of these layers.
    """
    algorithm = model.algorithm
    dense = dict(zip(map(id, variables), gradients, strict=True))
    seen = _views(
        model,
        model.granularity,
        dense if algorithm.needs_gradient else {},
        _of_all_replicas(model, passed, owners),
    )
    budgets = model.current_budgets()
    pruning = model.sparsity is not None  # goes by its budgets alone
    request = Request(
        fraction=0.0
        if pruning
        else schedules.fraction(model.drop_fraction(seen.step)),
        budgets=[budgets[i] for i in seen.indices],
        state={
            name: tf.convert_to_tensor(variable)
            for name, variable in model.state.items()
        },
    )
    num_changed, state = update.move_connections(
        seen,
        algorithm,
        request,
        model.grow_init,
        lambda variable: slots.of(model.optimizer, variable),
    )
    model.num_updates.assign(model.num_updates + 1)
    model.num_changed.assign(model.num_changed + num_changed)
    for name, variable in model.state.items():
        variable.assign(state[name])


def _nothing_of_nothing(gradients, num_examples):
    """Zeros where a replica has no examples and statistics of none."""
    dense = {i: g for i, g in enumerate(gradients) if isinstance(g, tf.Tensor)}
    dense = tf.cond(
        num_examples > 0,
        lambda: {i: tf.identity(g) for i, g in dense.items()},
        lambda: {i: tf.zeros_like(g) for i, g in dense.items()},
    )
    return [dense.get(i, g) for i, g in enumerate(gradients)]


def _put_back(model, state, before):
    """Undoes what the forward pass of a bad batch has changed."""
    for variable, value in zip(state, before, strict=True):
        variable.assign(value)
    if isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer):
        model.optimizer.step_counter.assign(0)
        scale = model.optimizer.dynamic_scale
        scale.assign(scale * 0.5)


def _views(model, units, gradients, flows=()):
    """Views of the trainable kernels, or of those that have a gradient."""
    chosen = [
        (i, kernel)
        for i, kernel in enumerate(model.kernels)
        if kernel.variable.trainable
        and (not gradients or id(kernel.variable) in gradients)
    ]
    return views.Views(
        kernels=[kernel for _, kernel in chosen],
        indices=[i for i, _ in chosen],
        granularity=units,
        seed=model.seed,
        step=tf.convert_to_tensor(model.step),
        beside={
            id(kernel.variable): _beside(
                model, kernel.variable, gradients, flows
            )
            for _, kernel in chosen
        },
    )


def _beside(model, variable, gradients, flows):
    if model.algorithm.needs_momentum:
        momentum = slots.momentum(model.optimizer, variable)
    else:
        momentum = model.momenta.get(id(variable))
    gradient = gradients.get(id(variable))
    return storage.Beside(
        gradient=None if gradient is None else _averaged(model, gradient),
        momentum=momentum,
        sign=model.signs.get(id(variable)),
        flows=[flow for flow in flows if flow.variable is variable],
    )


def _of_all_replicas(model, passed, owners):
    """A `Flow` for each layer, of the examples of all replicas."""
    replica = tf.distribute.get_replica_context()
    scale = getattr(model.optimizer, "dynamic_scale", 1.0)
    flows = []
    for owner, pair in zip(owners, passed, strict=True):
        if replica.num_replicas_in_sync > 1:
            pair = replica.all_gather(list(pair), axis=0)
        inputs, gradient = pair
        flows.append(storage.Flow(owner, inputs, gradient / scale))
    return flows


def _averaged(model, gradient):
    """The gradient of the mean loss over the batches of all replicas."""
    # Each replica's loss is divided by their number, so they add up.
    gradient = tf.distribute.get_replica_context().all_reduce(
        tf.distribute.ReduceOp.SUM, tf.convert_to_tensor(gradient)
    )
    scale = getattr(model.optimizer, "dynamic_scale", None)
    return gradient if scale is None else gradient / scale


def _gradient_scale(model):
    """What a replica's gradient is multiplied by before it is applied."""
    num_replicas = tf.distribute.get_strategy().num_replicas_in_sync
    scale = getattr(model.optimizer, "dynamic_scale", None)
    return (1.0 if scale is None else scale) / num_replicas


def _count_non_finite(gradients):
    """How many gradients are not finite, as an int32 scalar.

    A sum is finite only if what was added is, and it costs one read where
    testing every number would cost three passes.
    """
    sums = [
        tf.reduce_sum(getattr(gradient, "values", gradient))
        for gradient in gradients
    ]
    bad = [tf.logical_not(tf.math.is_finite(total)) for total in sums]
    return tf.reduce_sum(tf.cast(tf.stack(bad), tf.int32))


class _constraints_off:
    """Spares optimizers that keep zeros the masking after every step."""

    def __init__(self, optimizer, kernels):
        self._variables = []
        if slots.keeps_zeros(optimizer):
            self._variables = [
                kernel.variable
                for kernel in kernels
                if isinstance(kernel.variable.constraint, storage.KeepZeros)
                and kernel.variable.constraint.inner is None
            ]
        self._constraints = [v.constraint for v in self._variables]

    def __enter__(self):
        for variable in self._variables:
            variable.constraint = None

    def __exit__(self, *error):
        for variable, constraint in zip(
            self._variables, self._constraints, strict=True
        ):
            variable.constraint = constraint
