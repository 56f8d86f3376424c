"""Layers of a model that is built already, replaced by others."""

import keras
from keras.src.ops.function import make_node_key
from keras.src.ops.function import map_graph
from keras.src.ops.node import KerasHistory
from keras.src.utils.tracking import DotNotTrackScope

from rigl_tf._keras_compat.graphs import graph_of


def show_in_graph(model, swaps):
    """Lets one model show wrappers as its layers, without running them.

    The graph still calls the wrapped layers, so that other models that share
    these layers do not change. Only if a wrapped layer produces an output of
    the model, the wrapper takes over its calls, because Keras looks there for
    the layer of an output.

    Args:
        model: `keras.Sequential` or functional model.
        swaps: Dictionary from the id of a layer to its wrapper.
    """
    shown = [layer for layer in model._layers if id(layer) in swaps]
    with DotNotTrackScope():  # the same lists, and not copies
        for layer in shown:
            swaps[id(layer)]._inbound_nodes = layer._inbound_nodes
            swaps[id(layer)]._outbound_nodes = layer._outbound_nodes
    _set(model, "_layers", _replaced(model._layers, swaps))
    if isinstance(model, keras.Sequential):
        return
    outputs = {id(tensor) for tensor in model._outputs}
    for layer in shown:
        wrapper = swaps[id(layer)]
        for index, node in enumerate(layer._inbound_nodes):
            if make_node_key(layer, index) in model._nodes:
                model._nodes.add(make_node_key(wrapper, index))
        if any(
            id(tensor) in outputs
            for node in layer._inbound_nodes
            for tensor in node.outputs
        ):
            _own_calls(wrapper)
    with DotNotTrackScope():  # `_layers` has them already
        model._operations = [swaps.get(id(op), op) for op in model._operations]


def hide_in_graph(model, swaps):
    """Undoes `show_in_graph`; `swaps` are from wrappers to layers."""
    shown = [layer for layer in model._layers if id(layer) in swaps]
    _set(model, "_layers", _replaced(model._layers, swaps))
    for wrapper in shown:
        _own_calls(swaps[id(wrapper)])
    if not isinstance(model, keras.Sequential):
        _map_graph(model)


def replace_in_graph(model, swaps):
    """Replaces operations in the graph of one model, in place.

    The new operation takes over every call of the old one, in all models that
    share it. Tensors, inputs and outputs stay the same objects.

    Args:
        model: `keras.Sequential` or functional model.
        swaps: Dictionary from the id of an operation to its replacement.
    """
    graph = graph_of(model)
    for part in filter(None, {id(m): m for m in (graph, model)}.values()):
        _set(part, "_layers", _replaced(part._layers, swaps))
    if graph is None:
        return
    for operation in graph.operations:
        if id(operation) in swaps:
            _take_over(operation, swaps[id(operation)])
    _map_graph(graph)


def _map_graph(graph):
    with DotNotTrackScope():  # `_layers` has them already
        (
            graph._nodes,
            graph._nodes_by_depth,
            graph._operations,
            graph._operations_by_depth,
        ) = map_graph(graph._inputs, graph._outputs)


def replace_attributes(layer, swaps):
    """Replaces layers among the attributes of a layer, in place.

    Args:
        layer: `keras.Layer`. Lists, tuples and dictionaries that it has as
            attributes are searched, too.
        swaps: Dictionary from the id of a layer to its replacement.

    Returns:
        Function without arguments that undoes it.
    """
    before = {
        name: value.copy() if isinstance(value, list | dict) else value
        for name, value in vars(layer).items()
        if _holds_any(value, swaps)
    }
    for name in before:
        _set(layer, name, _replaced(getattr(layer, name), swaps))

    def undo():
        for name, value in before.items():
            _set(layer, name, value)

    return undo


def _holds_any(value, swaps):
    if isinstance(value, list | tuple):
        return any(id(item) in swaps for item in value)
    if isinstance(value, dict):
        return any(id(item) in swaps for item in value.values())
    return id(value) in swaps


def _replaced(value, swaps):
    if isinstance(value, dict):
        return {key: swaps.get(id(v), v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([swaps.get(id(item), item) for item in value])
    return swaps[id(value)]


def _set(layer, name, value):
    """Sets an attribute of a layer that is built already."""
    current = getattr(layer, name)
    kind = type(current)
    # Up to Keras 3.14, some lists are TensorFlow's wrappers around lists.
    if issubclass(kind, list) and not hasattr(current, "_storage"):
        list.__setitem__(current, slice(None), value)
    elif issubclass(kind, dict):  # and no wrapper, which only looks like one
        for key, item in value.items():
            dict.__setitem__(current, key, item)
    else:
        # Keras would track a second layer and refuse to, once it is built.
        with DotNotTrackScope():
            setattr(layer, name, value)


def _take_over(old, new):
    new._inbound_nodes.extend(old._inbound_nodes)
    new._outbound_nodes.extend(old._outbound_nodes)
    with DotNotTrackScope():
        old._inbound_nodes, old._outbound_nodes = [], []
    _own_calls(new)


def _own_calls(operation):
    for index, node in enumerate(operation._inbound_nodes):
        node.operation = operation
        for position, tensor in enumerate(node.outputs):
            tensor._keras_history = KerasHistory(operation, index, position)
