"""Puts wrappers into the graph of a model, and takes them out again."""

import contextlib

import keras

from rigl_tf import _keras_compat
from rigl_tf._keras_compat import Functional
from rigl_tf.modeling import maskable


def leaves(model):
    """Yields (path, layer) for the layers in the graphs of a model.

    Models that are saved as their graphs are opened. A model or layer of any
    other class stays whole: its path is empty if it is `model` itself.
    """
    if not _keras_compat.is_graph(model):
        yield "", model
        return
    seen = set()

    def walk(model, path):
        for layer in model.layers:
            here = f"{path}/{layer.name}" if path else layer.name
            if id(layer) in seen or isinstance(layer, keras.layers.InputLayer):
                continue
            seen.add(id(layer))
            if _keras_compat.is_graph(layer):
                yield from walk(layer, here)
            else:
                yield here, layer

    yield from walk(model, "")


def place(model, wrappers):
    """Shows wrappers as layers of a model, in the place of what they wrap."""
    swaps = {id(wrapper.layer): wrapper for wrapper in wrappers}
    for graph in _graphs(model):
        _keras_compat.show_in_graph(graph, swaps)


def unplace(model, wrappers):
    """Undoes `place`."""
    swaps = {id(wrapper): wrapper.layer for wrapper in wrappers}
    for graph in _graphs(model):
        _keras_compat.hide_in_graph(graph, swaps)


@contextlib.contextmanager
def unplaced(model, wrappers):
    """Undoes `place` for as long as the context lasts."""
    unplace(model, wrappers)
    try:
        yield model
    finally:
        place(model, wrappers)


def take_out(model, placed=()):
    """Takes every `Sparse` and `SparseModel` out of a model, in place.

    Wherever they are: in graphs, among the attributes of layers, or in lists
    of layers. What they hold takes their places.

    Args:
        model: `keras.Model`.
        placed: List of `Sparse` that `place` has put there.

    Returns:
        Function without arguments that puts them back.
    """
    unplace(model, placed)
    holders = [
        layer
        for layer in _keras_compat.all_layers(model)
        if hasattr(layer, "_holds")
    ]
    innermost = {}
    for holder in holders:
        inside = holder._holds()
        while hasattr(inside, "_holds"):
            inside = inside._holds()
        innermost[id(holder)] = inside
    layers = [
        layer
        for layer in _keras_compat.all_layers(model)
        if not hasattr(layer, "_holds")
    ]
    swaps = {id(holder): innermost[id(holder)] for holder in holders}
    _replace(model, swaps)
    undo = [_keras_compat.replace_attributes(layer, swaps) for layer in layers]

    def put_back():
        for function in undo:
            function()
        _replace(model, {id(innermost[id(h)]): h for h in reversed(holders)})
        place(model, placed)

    return put_back


def _graphs(model):
    return [
        layer
        for layer in _keras_compat.all_layers(model)
        if isinstance(layer, keras.Sequential | Functional)
    ]


def _replace(model, swaps):
    """Replaces layers in all graphs of a model."""
    for graph in _graphs(model) if swaps else ():
        _keras_compat.replace_in_graph(graph, swaps)


def first_layers(model):
    """Returns the paths of the layers that see the inputs of a model first.

    These are the layers with kernels, masked or not, that no other layer with
    kernels comes before: one for each tower of a network with several inputs.
    """
    if not _keras_compat.is_graph(model):
        return [maskable.maskable_kernels(model)[0].path]
    graph = _keras_compat.graph_of(model)
    if graph is None:  # a stack of layers without a graph
        return _below(next(filter(maskable.maskable_kernels, model.layers)))
    first = []
    fresh = {id(tensor) for tensor in graph.inputs}
    for node in _keras_compat.nodes_of(graph):
        if not all(id(t) in fresh for t in node.input_tensors):
            continue
        layer = node.operation
        if isinstance(layer, keras.Layer) and maskable.maskable_kernels(layer):
            first.extend(_below(layer))
        else:
            fresh.update(id(t) for t in node.outputs)
    return first


def _below(layer):
    if not _keras_compat.is_graph(layer):
        return [layer.name]
    return [f"{layer.name}/{path}" for path in first_layers(layer)]
