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
    """Makes a model sparse and trains it with an algorithm.

    Nothing is copied: the sparse model is made of the model's own layers, and
    the model that is passed in shares its weights from then on. Layers with
    masks stand in `Sparse` wrappers; `densify` takes them out again. With
    `copy=True`, the model that is passed in stays as it was.

    Masks cover the kernels of Dense, EinsumDense, convolution, attention and
    recurrent layers, wherever they are: in nested and subclassed models, in
    layers that are made of layers. Biases and normalization are never masked;
    depthwise convolutions and embeddings only if named in `include`, frozen
    layers likewise. If the model has `Sparse` layers without a single zero,
    exactly those are masked. Layers whose masks have zeros already keep their
    masks and weights.

    Args:
        model: A built `keras.Model`.
        algorithm: `Algorithm`, for example `rigl_tf.algorithms.RigL()`, its
            class, or its name, `"rigl"`.
        sparsity: Float in [0, 1), the fraction of zeros. Or a dictionary from
            names of layers, or patterns with `*`, to fractions, such as
            `{"conv*": 0.5, "*": 0.9}`: the first match counts, `"*"` is for
            all others, which stay dense without it. With a pruning algorithm
            also a schedule: `PolynomialSparsity`, or any callable from step to
            (whether to prune, sparsity).
        distribution: How layers share the sparsity, a function of
            `rigl_tf.distributions` or its name; `"erk"` for short. Bind
            further arguments with `functools.partial`.
        schedule: `UpdateSchedule`, or an integer, the optimizer steps between
            two updates. By default the algorithm's: for most, every 100 steps
            in the first three quarters of training.
        drop_fraction: Float in [0, 1], the fraction of active connections
            replaced by the first update, which falls to 0 along a cosine; or a
            callable from step to fraction. By default the algorithm's, 0.3
            for most.
        exclude: Layers to keep dense: a name, a path, a pattern with `*`, a
            class, a layer, a function from a layer to a boolean, or a list of
            these.
        include: Layers to mask that are not masked by default, likewise. A
            layer of your own without known kernels has all its weights with
            two dimensions or more masked.
        structure: What moves as one, of `rigl_tf.structures`: by default,
            every connection by itself.
        grow_init: `GrowInit`, the weight of new connections: by default,
            zero.
        masks: What is active first. `"random"` positions; those with the
            largest `"magnitude"` in each layer, or in all layers together
            (`"magnitude_global"`), for a model that is trained already; or a
            dictionary from the name of a kernel to a boolean array. A pruning
            algorithm starts from the zeros that the weights have.
        copy: Whether to copy the model first, through Keras's own saving. It
            is refused if the copy would lose something.
        storage: `"dense"` keeps the zeros of kernels. `"active"` stores active
            connections, or active `Blocks`, only: in Dense layers, 1x1
            convolutions and EinsumDense layers that are matrix products, also
            in MultiHeadAttention.
            Training takes less memory and, at high sparsity, less time;
            connections need a CPU, blocks do not. `"auto"` does so in layers
            that can and are large and sparse enough to gain by it. Or a
            dictionary from names of layers, or patterns with `*`, to one of
            these.
        seed: Integer. Everything random here and in the updates follows it.

    Returns:
        `SparseModel`. Compile it next.

    Raises:
        TypeError: If an argument is of the wrong kind, or a layer cannot be
            sparse.
        ValueError: If a value is out of range, a name matches no layer, or
            what is asked for cannot be combined.

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
    """Gives the plain model back, with exact zeros where it was masked.

    It is the network of the sparse model without any wrapper: the same object,
    the same class, the same layers. The sparse model still works and shares
    its weights. Only if kernels store active connections alone, the result is
    a new model, in which layers with dense kernels replace these layers.

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
    network = getattr(model, "network", model)
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
    """Gives the plain model for as long as the context lasts.

    Args:
        model: As for `densify`; it is as it was afterwards.
    """
    _check_is_model(model)
    network = getattr(model, "network", model)
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
    """The sparse models in a model, and those that own masks in it."""
    network = getattr(model, "network", model)
    owners = [w.owner() for w in sparse_wrapper.sparse_layers(network)]
    parts = [model, *all_layers(network), *owners]
    found = {id(part): part for part in parts if isinstance(part, SparseModel)}
    return list(found.values())


def _placed(model):
    """The wrappers that stand in the places of their layers."""
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
    """A model of the same layers, but for those that store no dense kernel."""

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

    # What it is compiled with need not be something that can be cloned.
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
                "model around it could not call. Train it in place: "
                "`model.fit(..., callbacks=[rigl_tf.SparseTraining(algorithm, "
                "sparsity=...)])`."
            )
    if not model.built:
        raise ValueError(
            f"{model.name!r} has no weights yet. Give it an `Input`, or call "
            "`model.build(input_shape)`, before `sparsify`."
        )
