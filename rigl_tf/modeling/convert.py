"""Conversion of a Keras model to a sparse one, and back."""

import contextlib
from collections.abc import Mapping

import keras

from rigl_tf import kernels as kernel_storage
from rigl_tf._keras_compat import all_layers
from rigl_tf.algorithms import Algorithm
from rigl_tf.modeling import placement
from rigl_tf.modeling import sparse_wrapper
from rigl_tf.modeling.copying import copy_model
from rigl_tf.modeling.forwarded_attributes import network_of
from rigl_tf.modeling.grow_init import GrowInit
from rigl_tf.modeling.setup import resolve
from rigl_tf.modeling.sparse_model import SparseModel
from rigl_tf.sparsity import distributions
from rigl_tf.sparsity import schedules
from rigl_tf.sparsity import structures
from rigl_tf.typing import Distribution
from rigl_tf.typing import MaskDict
from rigl_tf.typing import Names
from rigl_tf.typing import Schedule
from rigl_tf.typing import SparsitySchedule
from rigl_tf.utils import refusals

# Methods that a model calls and a sparse model around it does not.
_OF_TRAINING = (
    "fit",
    "evaluate",
    "predict",
    "train_on_batch",
    "test_on_batch",
    "predict_on_batch",
    "make_train_function",
    "make_test_function",
    "make_predict_function",
)


def sparsify(
    model: keras.Model,
    algorithm: str | Algorithm | type[Algorithm],
    *,
    sparsity: float | Mapping[str, float] | SparsitySchedule,
    distribution: str | Distribution = distributions.erdos_renyi_kernel,
    schedule: int | schedules.UpdateSchedule | None = None,
    drop_fraction: float | Schedule | None = None,
    exclude: Names = (),
    include: Names = (),
    structure: structures.Structure | None = None,
    grow_init: GrowInit | None = None,
    masks: str | MaskDict = "random",
    copy: bool = False,
    storage: str | Mapping[str, str] = "dense",
    seed: int = 0,
) -> SparseModel:
    """Makes a model sparse, for training with an algorithm.

    Nothing is copied: the sparse model uses the layers of `model`, so both
    models share their weights. `Sparse` wrappers replace the layers with masks;
    `densify` removes the wrappers. With `copy=True`, `model` does not change.

    Kernels of Dense, EinsumDense, convolution, attention and recurrent layers
    get masks, also in nested and subclassed models and in layers inside other
    layers. Biases and normalization never get masks. Depthwise convolutions,
    embeddings and frozen layers get masks only if `include` names them. If you
    have wrapped layers in `Sparse` and all their connections are active, only
    these layers get masks. Layers whose masks already have zeros keep their
    masks and weights.

    Args:
        model: A built `keras.Model`.
        algorithm: `Algorithm`, for example `rigl_tf.algorithms.RigL()`, its
            class, or its name, `"rigl"`.
        sparsity: Float in [0, 1), the fraction of zeros in all masked kernels
            together. Or a dictionary from names of layers, or patterns with
            `*`, to fractions, such as `{"conv*": 0.5, "*": 0.9}`: the first
            match counts, and layers without a match stay dense. For an
            algorithm whose sparsity changes, such as `GradualPruning`, also a
            schedule, such as `PolynomialSparsity`, or a function from step to
            a pair (whether to update, sparsity); for `GradualPruning`, also a
            dictionary with such schedules.
        distribution: A function of `rigl_tf.distributions` that distributes the
            sparsity over layers, or its name; `"erk"` for short. `"lamp"` and
            `"owl"` use the weights of the model. Bind further arguments with
            `functools.partial`.
        schedule: `UpdateSchedule`, or an integer, the optimizer steps between
            two updates. By default, the schedule of the algorithm: for most,
            every 100 steps in the first three quarters of training.
        drop_fraction: Float in [0, 1], the fraction of active connections that
            the first update replaces; it falls to 0 along a cosine. Or a
            function from step to fraction. By default, that of the algorithm,
            0.3 for most. Without effect if the algorithm replaces none.
        exclude: Layers to keep dense: a name, a path, a pattern with `*`, a
            class, a layer, a function from a layer to a boolean, or a list of
            these.
        include: Layers to mask that get no masks by default, in the same forms.
            In a custom layer without known kernels, all weights with two
            dimensions or more get masks.
        structure: A structure of `rigl_tf.structures`, such as
            `Blocks(16, 16)`: its units move as a whole. By default, every
            connection moves on its own.
        grow_init: `GrowInit`, the weights of new connections. By default, zero.
        masks: The initial masks. `"random"`: random connections are active.
            For trained models, `"magnitude"`: the connections with the largest
            |weight| in each layer; `"magnitude_global"`: in all layers
            together. Or a dictionary from the name of a kernel to a boolean
            array, whose number of connections counts, not `sparsity`. For a
            pruning algorithm, only a dictionary has an effect: by default, all
            connections are active, or all that are not zero if the weights
            have enough zeros already.
        copy: Boolean, whether to copy the model first, by Keras's saving. An
            error says if the copy would lose something.
        storage: `"dense"` stores kernels with their zeros. `"active"` stores
            only active connections, or active units of `Blocks` or
            `Kernels2D`: in Dense layers, convolutions and EinsumDense layers
            that are matrix products, also inside MultiHeadAttention.
            Training takes less memory and, at high sparsity, less time;
            only `Blocks` do not need a CPU. `"auto"` stores only active
            connections in layers that support it and become faster. Or a
            dictionary from names of layers, or patterns with `*`, to these
            strings.
        seed: Integer, the seed of the initial masks and of all updates.

    Returns:
        `SparseModel`. Compile it next.

    Raises:
        TypeError: If an argument has the wrong type, or a layer cannot be
            sparse.
        ValueError: If a value is out of range, a name matches no layer, or
            two arguments cannot be combined.

    Example:

    >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(10)])
    >>> sparse = rigl_tf.sparsify(model, "rigl", sparsity=0.9)
    >>> rigl_tf.summary(sparse).sparsity
    0.9
    """
    _check_model(model)
    if copy:
        model = copy_model(model)
    setup = resolve(
        model,
        algorithm,
        sparsity=sparsity,
        distribution=distribution,
        schedule=schedule,
        drop_fraction=drop_fraction,
        exclude=exclude,
        include=include,
        structure=structure,
        grow_init=grow_init,
        masks=masks,
        storage=storage,
        seed=seed,
    )
    sparse = SparseModel(model, **setup.step_arguments(), masked=setup.masked)
    setup.set_first_masks(sparse.sparse_step)
    if isinstance(masks, Mapping):
        sparse.set_masks(dict(masks))
    return sparse


def densify(model: keras.Model) -> keras.Model:
    """Returns the plain model, with exact zeros at inactive connections.

    The result is the model that was passed to `sparsify`: the same object, with
    the same layers and without wrappers. The sparse model still works and
    shares its weights. If some layers store only active connections, the
    result is a new model instead, whose layers have dense kernels.

    Args:
        model: `SparseModel`, or a `keras.Model` with sparse parts.

    Returns:
        `keras.Model` without masks.

    Example:

    >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(10)])
    >>> sparse = rigl_tf.sparsify(model, "rigl", sparsity=0.9)
    >>> rigl_tf.densify(sparse) is model
    True
    """
    _check_is_model(model)
    network = network_of(model)
    for kernel in sparse_wrapper.sparse_kernels(model):
        kernel.impose()
    wrappers = sparse_wrapper.sparse_layers(network)
    if _stores_active(network):
        plain = _with_dense_kernels(network)
    else:
        placed = _placed(model)
        for part in _sparse_models(model):
            part.keep_wrappers()
        placement.take_out(network, placed)
        plain = network
    for wrapper in wrappers:
        wrapper.release()
    return plain


@contextlib.contextmanager
def densified(model: keras.Model):
    """Returns a context in which a model is plain, without wrappers.

    Args:
        model: As for `densify`. At the end, it has its wrappers again.
    """
    _check_is_model(model)
    network = network_of(model)
    for kernel in sparse_wrapper.sparse_kernels(model):
        kernel.impose()
    if _stores_active(network):
        yield _with_dense_kernels(network)
        return
    put_back = placement.take_out(network, _placed(model))
    try:
        yield network
    finally:
        put_back()


def _sparse_models(model):
    """Returns the sparse models in a model, and the owners of its masks.

    The owner of the mask of a shared layer may be another model.
    """
    network = network_of(model)
    layers = all_layers(network)
    inside = {id(layer) for layer in layers}
    owners = [w.owner() for w in sparse_wrapper.sparse_layers(network)]
    found = {
        id(part): part
        for part in [model, *layers, *owners]
        if isinstance(part, SparseModel)
        and (part is model or id(part.network) in inside)
    }
    return list(found.values())


def _placed(model):
    """Returns the wrappers that replace their layers."""
    return [
        wrapper
        for part in _sparse_models(model)
        for wrapper in part.placed_wrappers
    ]


def _stores_active(network):
    return any(
        isinstance(layer, kernel_storage.Active)
        for layer in all_layers(network)
    )


def _with_dense_kernels(network):
    """Returns a model of the same layers, all with dense kernels."""

    def plain(layer):
        is_held = hasattr(layer, "_holds")
        while hasattr(layer, "_holds"):
            layer = layer._holds()
        if isinstance(layer, kernel_storage.Active):
            return kernel_storage.dense_copy(layer)
        if isinstance(layer, kernel_storage.ActiveMultiHeadAttention):
            return kernel_storage.dense_attention(layer)
        if is_held and isinstance(layer, keras.Model):
            return _with_dense_kernels(layer)
        return layer

    # The loss or the metrics may be objects that Keras cannot clone.
    compiled, network.compiled = network.compiled, False
    try:
        return keras.models.clone_model(
            network, clone_function=plain, recursive=True
        )
    finally:
        network.compiled = compiled


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
    for name in _OF_TRAINING:
        if getattr(type(model), name) is not getattr(keras.Model, name):
            raise TypeError(
                f"{type(model).__name__} overrides `{name}`, which a sparse "
                "model cannot call. Train it in place: "
                "`model.fit(..., callbacks=[rigl_tf.SparseTraining(algorithm, "
                "sparsity=...)])`."
            )
    if not model.built:
        raise ValueError(
            f"{model.name!r} has no weights yet. Give it an `Input`, or call "
            "`model.build(input_shape)`, before `sparsify`."
        )
