"""Copies of models whose layers are wrapped to be sparse, or no longer."""

import keras
from keras.src.models import Functional  # keras exports no name for it

from rigl_tf import distributions
from rigl_tf import layers
from rigl_tf import storage
from rigl_tf import tensors

COPYABLE = keras.Sequential | Functional


def chosen_layers(model, exclude, include):
    """The layers of a model to make sparse.

    Args:
        model: A built `keras.Model` without `Sparse` layers.
        exclude: Names of layers, or patterns with `*`.
        include: Names of layers that are left out unless named.

    Returns:
        Function from a layer to whether it is among them.

    Raises:
        TypeError: If a layer cannot be sparse, or hides layers of its own.
        ValueError: If there is none, or a name matches none.
    """
    if not isinstance(model, COPYABLE):
        raise TypeError(
            f"{model.name!r} is a subclassed model, whose layers cannot be "
            "replaced from outside. Wrap them where they are made, "
            "`self.dense = rigl_tf.Sparse(keras.layers.Dense(10))`, and pass "
            "the model again."
        )
    paths = dict(_leaves(model, ""))
    names = list(paths)
    excluded = _chosen(exclude, names, "exclude")
    included = _chosen(include, names, "include")
    chosen = set()
    for name, layer in paths.items():
        if name in included or layers.can_be_sparse(layer):
            if name in included or name not in excluded:
                layers.check_can_be_sparse(layer)
                chosen.add(id(layer))
        elif name not in excluded:
            _check_hides_nothing(name, layer)
    if not chosen:
        raise ValueError(
            f"{model.name!r} has no layer to make sparse. Layers: "
            f"{', '.join(names)}."
        )
    return lambda layer: id(layer) in chosen


def wrapped(model, chosen, stored, block=None):
    """A copy of a model with some layers in `Sparse` wrappers.

    Args:
        model: A built `keras.Model`.
        chosen: Function from a layer to whether it is wrapped.
        stored: Dictionary from the id of a layer to a pair: the capacity and
            the active positions, where only these are stored.

    Returns:
        `keras.Model`.
    """

    def copy(layer):
        if not chosen(layer):
            return storage.plain(layer)
        if id(layer) in stored:
            capacity, active = stored[id(layer)]
            inside = storage.active_like(layer, capacity, block)
            inside.fill(layer.kernel, active)
            return layers.Sparse(inside)
        inside = storage.plain(layer)
        inside.build_from_config(layer.get_build_config())
        return layers.Sparse(inside)

    return _clone(model, copy)


def unwrapped(model):
    """A copy of a model without `Sparse` wrappers."""
    return _clone(model, lambda layer: storage.plain(_inside(layer)))


def _check_hides_nothing(name, layer):
    """Raises for a layer whose own layers would silently stay dense."""
    inside = layer._flatten_layers(include_self=False)
    hidden = [part.name for part in inside if layers.can_be_sparse(part)]
    if hidden:
        raise TypeError(
            f"Layer {name!r} of type {type(layer).__name__} makes layers of "
            f"its own ({', '.join(hidden)}), which cannot be replaced from "
            "outside. Wrap them where they are made, "
            "`self.dense = rigl_tf.Sparse(keras.layers.Dense(10))`, and then "
            "all others that shall be sparse; or leave it dense with "
            f"`exclude=[{name!r}]`."
        )


def _chosen(patterns, names, argument):
    selected = distributions.match(patterns, names, argument)
    return {name for matched in selected.values() for name in matched}


def _leaves(model, path):
    """Pairs of path and layer, nested models opened."""
    for layer in model.layers:
        here = f"{path}/{layer.name}" if path else layer.name
        if isinstance(layer, COPYABLE):
            yield from _leaves(layer, here)
        elif not isinstance(layer, keras.layers.InputLayer):
            yield here, layer


def _clone(model, function):
    """Clones a model layer by layer, weights and all."""
    copies = []

    def remember(layer):
        if not isinstance(layer, keras.Layer):
            return layer  # such as a sum of tensors
        copy = function(layer)
        copies.append((layer, copy))
        return copy

    # What it is compiled with need not be something that can be cloned.
    compiled, model.compiled = model.compiled, False
    try:
        clone = keras.models.clone_model(
            model, clone_function=remember, recursive=True
        )
    finally:
        model.compiled = compiled
    for layer, copy in copies:
        _copy_weights(layer, _inside(copy))
        copy.trainable = layer.trainable
    return clone


def _copy_weights(layer, copy):
    """Gives a copy the weights of a layer, with exact zeros under masks."""
    dense = {}
    if isinstance(layer, layers.Sparse):
        dense = {id(k.variable): k.weights() for k in layer.kernels}
    filled = set()
    if isinstance(copy, storage.Active):
        filled = {id(copy.sparse_kernel().variable)}
    for variable, target in zip(
        _inside(layer).weights, copy.weights, strict=False
    ):
        if id(target) not in filled:
            value = dense.get(id(variable), variable)
            target.assign(tensors.as_array(value))


def _inside(layer):
    return layer.layer if isinstance(layer, layers.Sparse) else layer
