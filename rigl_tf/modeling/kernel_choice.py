"""Chooses the kernels of a model that get masks."""

import math
import warnings

import keras

from rigl_tf.modeling import maskable
from rigl_tf.modeling import placement
from rigl_tf.modeling import sparse_wrapper
from rigl_tf.modeling.layer_patterns import match_layers
from rigl_tf.modeling.maskable import MaskableKernel

_LARGE = 0.01  # of all trainable weights


def check_by_hand(model, exclude, include, kept):
    """Raises a ValueError if names contradict wrappers that the user has made.

    Args:
        model: A built `keras.Model`.
        exclude, include: As for `choose_kernels`.
        kept: List of `SparseKernel`, those in the wrappers.
    """
    named = _named(model)
    masked = {id(kernel.variable) for kernel in kept}
    included = match_layers(include, named, "include")
    excluded = match_layers(exclude, named, "exclude") - included
    for kernel in maskable.maskable_kernels(model):
        names = {kernel.path, kernel.name}
        if id(kernel.variable) in masked:
            argument, wrong = "exclude", names & excluded
        else:
            argument, wrong = "include", names & included
        if wrong:
            raise ValueError(
                "Layers in `Sparse` wrappers are the sparse ones. Received: "
                f"{argument}={min(wrong)!r}. Change the wrappers instead, or "
                "remove all of them by `rigl_tf.densify(model)`."
            )


def choose_kernels(model, exclude, include, kept=()) -> list[MaskableKernel]:
    """Returns the kernels of a model that get new masks, in its order.

    Args:
        model: A built `keras.Model`.
        exclude: Layers that stay dense, as for `sparsify`.
        include: Layers that get masks in any case, as for `sparsify`.
        kept: List of `SparseKernel` that have masks already.

    Raises:
        TypeError: If a chosen layer cannot be sparse.
        ValueError: If no kernel is chosen, or a name matches no layer.
    """
    layers = list(maskable.layers_of(model))
    _declare_weights(model, match_layers(include, _named(model), "include"))
    named = _named(model)
    excluded = match_layers(exclude, named, "exclude")
    included = match_layers(include, named, "include")
    paths = {id(layer): path for path, layer in layers}

    def is_among(kernel, selected):
        path = paths.get(id(kernel.layer), "")
        return not selected.isdisjoint((path, kernel.path, kernel.name))

    for path, layer in layers:
        if path not in excluded and maskable.has_kernels(layer):
            sparse_wrapper.check_uses_kernel(layer)
    chosen = []
    masked = {id(kernel.variable) for kernel in kept}
    for kernel in maskable.maskable_kernels(model):
        if id(kernel.variable) in masked:
            continue
        by_default = kernel.variable.trainable and not kernel.is_on_request
        if is_among(kernel, included):
            chosen.append(kernel)
        elif by_default and not is_among(kernel, excluded):
            chosen.append(kernel)
    if not chosen and not kept:
        raise ValueError(
            f"{model.name!r} has no layer to make sparse: none has a kernel "
            "that is known, is trainable and is not excluded. Layers: "
            f"{', '.join(path for path, _ in layers)}. Name the weights of a "
            'layer of your own, `sparse_kernels = ("w",)` on its class, or '
            "pass it to `include`."
        )
    _warn(model, layers, chosen, excluded)
    return chosen


def by_leaf(model, chosen) -> list[list]:
    """Returns pairs of a layer's path and the names of its chosen kernels.

    Args:
        model: `keras.Model`.
        chosen: List of `MaskableKernel`.

    Returns:
        List of pairs. `placement.leaves` gives the paths. The names are
        relative to the layer, or `None` for those that `Sparse` takes by
        default.
    """
    ids = {id(kernel.variable) for kernel in chosen}
    pairs = []
    for path, layer in placement.leaves(model):
        kernels = maskable.maskable_kernels(layer)
        names = [k.name for k in kernels if id(k.variable) in ids]
        default = [k.name for k in maskable.default_kernels(layer)]
        if names:
            ids -= {id(k.variable) for k in kernels}  # a layer of two graphs
            # A layer that is made again has no attributes that were set on it.
            declared = any("sparse_kernels" in vars(k.layer) for k in kernels)
            by_default = names == default and not declared
            pairs.append([path, None if by_default else names])
    return pairs


def _named(model):
    """Pairs of a path and a layer, for layers and for single kernels."""
    named = list(maskable.layers_of(model))
    paths = {path for path, _ in named}
    for kernel in maskable.maskable_kernels(model):
        for name in (kernel.path, kernel.name):
            if name and name not in paths:
                named.append((name, kernel.layer))
    return named


def _declare_weights(model, included):
    """Makes kernels of the weights of layers that are asked for by name."""
    known = {id(kernel.layer) for kernel in maskable.maskable_kernels(model)}
    for path, layer in maskable.layers_of(model):
        if path in included and id(layer) not in known:
            weights = {id(w) for w in maskable.own_weights(layer)}
            names = tuple(
                name
                for name, value in vars(layer).items()
                if id(value) in weights
            )
            if names:
                layer.sparse_kernels = names


def _warn(model, layers, chosen, excluded):
    changed = [k.name for k in chosen if k.may_be_transformed]
    if changed:
        warnings.warn(
            f"The classes of {', '.join(changed)} override how a layer "
            "computes. If they change the kernel before they use it, as in "
            "weight standardization, inactive weights do not stay zero: "
            "exclude these layers. If they use it unchanged, confirm this with "
            '`sparse_kernels = ("kernel",)` on the class.',
            stacklevel=4,
        )
    masked = {id(kernel.variable) for kernel in chosen}
    known = {id(k.variable) for k in maskable.maskable_kernels(model)}
    total = sum(math.prod(w.shape) for w in model.trainable_weights)
    dense = [
        f"{path}/{weight.name}"
        for path, layer in [("", model), *layers]
        if path not in excluded and not _is_of_keras(layer)
        for weight in maskable.own_weights(layer)
        if id(weight) not in masked | known
        and math.prod(weight.shape) >= _LARGE * total
    ]
    if dense:
        warnings.warn(
            f"Large weights stay dense: {', '.join(dense)}. To mask them, "
            "name the attributes that hold them on the class of their layer, "
            '`sparse_kernels = ("w",)`, or pass the layer to `include`. A '
            "weight in a list or a dictionary needs its own attribute. To "
            "leave them dense, pass the layer to `exclude`.",
            stacklevel=4,
        )


def _is_of_keras(layer):
    return type(layer).__module__.partition(".")[0] == keras.__name__
