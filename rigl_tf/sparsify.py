"""From a Keras model to a sparse one and back."""

import numbers

import keras

from rigl_tf import distributions
from rigl_tf import granularity as units
from rigl_tf import layers
from rigl_tf import refusals
from rigl_tf import schedules
from rigl_tf import stores
from rigl_tf import wrapping
from rigl_tf.algorithms import Algorithm
from rigl_tf.grow_init import GrowInit
from rigl_tf.model import SparseModel
from rigl_tf.storage import DenseKernel


def sparsify(
    model,
    algorithm,
    *,
    sparsity,
    distribution=distributions.erdos_renyi_kernel,
    schedule=None,
    drop_fraction=None,
    exclude=(),
    include=(),
    granularity=None,
    grow_init=None,
    storage="dense",
    seed=0,
):
    """Makes a sparse copy of a model that trains with an algorithm.

    The copy starts from the model's weights, with a random mask of exactly
    the wanted count over each kernel; the model itself is left alone. A
    pruning algorithm starts from dense masks.

    Masked are the kernels of Dense, EinsumDense, convolution, attention and
    recurrent layers, also inside nested models. Biases and normalization are
    never masked; depthwise convolutions and embeddings only if named in
    `include`. If the model contains `Sparse` layers, exactly those are masked:
    that is how a subclassed model, which cannot be copied, is made sparse.

    Args:
        model: A built `keras.Model`.
        algorithm: `Algorithm`, for example `rigl_tf.algorithms.RigL()`.
        sparsity: Float in [0, 1), the fraction of zeros. With a pruning
            algorithm also a schedule: `PolynomialSparsity`, or any callable
            from step to (whether to prune, sparsity).
        distribution: How layers share the sparsity, a function of
            `rigl_tf.distributions` or its name. Bind further arguments with
            `functools.partial`.
        schedule: `UpdateSchedule`. By default the algorithm's: for most,
            every 100 steps in the first three quarters of training.
        drop_fraction: Callable from step to the fraction of active
            connections replaced. By default the algorithm's: `Cosine(0.3)`
            for most.
        exclude: Names of layers to keep dense, or patterns with `*`.
        include: Names of depthwise convolutions and embeddings to mask.
        granularity: What moves as one, of `rigl_tf.granularity`: by default,
            every connection by itself.
        grow_init: `GrowInit`, the weight of new connections: by default,
            zero.
        storage: `"dense"` keeps the zeros of kernels. `"active"` stores active
            connections, or active `Blocks`, only: in Dense layers, 1x1
            convolutions and EinsumDense layers that are matrix products.
            Training takes less memory and, at high sparsity, less time;
            connections need a CPU, blocks do not. `"auto"` does so in layers
            that can and are large and sparse enough to gain by it. Or a
            dictionary from names of layers, or patterns with `*`, to one of
            these.
        seed: Integer. Everything random here and in the updates follows it.

    Returns:
        `SparseModel`. Compile it next.

    Raises:
        TypeError: If an argument is of the wrong kind, or a layer makes layers
            of its own, which cannot be replaced from outside.
        ValueError: If a value is out of range or a name matches no layer.
    """
    _check_model(model)
    if not isinstance(algorithm, Algorithm):
        raise TypeError(
            "`algorithm` must be an `rigl_tf.algorithms.Algorithm`, for "
            f"example `RigL()`. Received: algorithm={algorithm!r}."
        )
    if isinstance(seed, bool) or not isinstance(seed, numbers.Integral):
        raise ValueError(f"`seed` must be an integer. Received: seed={seed!r}.")
    if schedule is None:
        schedule = algorithm.default_schedule
    if not isinstance(schedule, schedules.UpdateSchedule):
        raise TypeError(
            "`schedule` must be an `UpdateSchedule`. A schedule of sparsities "
            f"goes to `sparsity`. Received: schedule={schedule!r}."
        )
    granularity = granularity or units.Connections()
    if not isinstance(granularity, units.Granularity):
        raise TypeError(
            "`granularity` must be of `rigl_tf.granularity`, for example "
            f"`Blocks(16, 16)`. Received: granularity={granularity!r}."
        )
    grow_init = grow_init or GrowInit()
    _check_fits(algorithm, granularity, grow_init)
    if drop_fraction is None:
        drop_fraction = algorithm.default_drop_fraction
    if not callable(drop_fraction):
        raise TypeError(
            "`drop_fraction` must be callable with a step, for example "
            f"`Cosine(0.3)`. Received: drop_fraction={drop_fraction!r}."
        )
    distribution = distributions.get(distribution)
    changing = algorithm.follows_sparsity
    wanted = _sparsity_schedule(sparsity, changing)
    wrapped_already = bool(layers.sparse_layers(model))
    if wrapped_already:
        chosen, kernels = lambda layer: False, layers.sparse_kernels(model)
    else:
        chosen = wrapping.chosen_layers(model, exclude, include)
        kernels = layers.kernels_to_be(model, chosen)
    final = schedules.final_sparsity(wanted) if changing else sparsity
    names = [kernel.name for kernel in kernels]
    sparsities = distribution(
        [kernel.shape for kernel in kernels], float(final), names=names
    )
    shapes = [granularity.shape(kernel.layout) for kernel in kernels]
    budgets = distributions.budgets(shapes, sparsities, names=names)
    budgets = granularity.budgets(kernels, budgets)
    stored = stores.planned(
        storage, kernels, budgets, algorithm, granularity, seed, chosen
    )
    if not wrapped_already:
        block = None
        if stored and not granularity.single:
            block = (granularity.rows, granularity.columns)
        model = wrapping.wrapped(model, chosen, stored, block)
    sparse = SparseModel(
        model,
        algorithm,
        schedule,
        drop_fraction,
        wanted,
        budgets,
        int(seed),
        granularity,
        grow_init,
    )
    if not changing:
        for i, (kernel, budget) in enumerate(
            zip(sparse.kernels, budgets, strict=True)
        ):
            if isinstance(kernel, DenseKernel):
                active = granularity.random(kernel.layout, budget, (seed, i))
                kernel.mask.assign(granularity.spread(active, kernel.layout))
    sparse.impose_masks()
    return sparse


def densify(model):
    """Makes a plain copy of a sparse model, exact zeros where it was masked.

    Args:
        model: `SparseModel`, or a model with `Sparse` layers.

    Returns:
        `keras.Model` of the kind that went into `sparsify`, without masks.

    Raises:
        TypeError: If the network is a subclassed model, which cannot be
            copied layer by layer.
    """
    _check_is_model(model)
    network = getattr(model, "network", model)

    if not isinstance(network, wrapping.COPYABLE):
        raise TypeError(
            f"{network.name!r} is a subclassed model, which cannot be copied "
            "layer by layer. Build one without the `Sparse` wrappers and copy "
            "the weights of each: "
            "`plain.dense.set_weights(sparse.network.dense.layer.get_weights())`."
        )
    return wrapping.unwrapped(network)


def _check_is_model(model):
    refusals.refuse_keras_2(model, "model")
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"`model` must be a `keras.Model`. Received: model={model!r}."
        )


def _check_model(model):
    _check_is_model(model)
    if isinstance(model, SparseModel):
        raise TypeError(
            f"{model.name!r} is sparse already. To start over, pass "
            "`rigl_tf.densify(model)`."
        )
    if not model.built:
        raise ValueError(
            f"{model.name!r} has no weights yet. Give it an `Input`, or call "
            "`model.build(input_shape)`, before `sparsify`."
        )


def _check_fits(algorithm, granularity, grow_init):
    name = type(algorithm).__name__
    if algorithm.fixes_signs and not granularity.single:
        raise ValueError(
            f"{name} goes by the signs of single connections, and groups of "
            f"them have none. Received: granularity={granularity}."
        )
    if isinstance(granularity, units.Groups) and (
        algorithm.moves_between_layers
        or (
            algorithm.follows_sparsity and not isinstance(granularity, units.NM)
        )
    ):
        raise ValueError(
            f"{name} changes how many connections layers have, and groups of "
            f"them keep theirs. Received: granularity={granularity}."
        )
    if grow_init.kind == "gradient" and not algorithm.needs_gradient:
        raise ValueError(
            f"{name} does not see the gradient, so new connections cannot "
            f"start with it. Received: grow_init={grow_init}."
        )


def _sparsity_schedule(sparsity, changing):
    """The schedule of a pruning algorithm; `None` for all others."""
    if not callable(sparsity):
        distributions.check_sparsity(sparsity)
        if changing:
            return schedules.PolynomialSparsity(float(sparsity))
        return None
    if not changing:
        raise ValueError(
            "The algorithm keeps the sparsity constant, so `sparsity` must be "
            f"a number. Received: sparsity={sparsity!r}. For a schedule, use "
            "`GradualPruning()`."
        )
    return sparsity
