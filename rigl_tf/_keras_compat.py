"""The private parts of Keras that this library depends on."""

import contextlib

import keras
from keras.src.backend import compute_output_spec
from keras.src.backend.common.global_state import get_global_attribute
from keras.src.backend.common.global_state import set_global_attribute
from keras.src.models import Functional as Functional
from keras.src.models.functional import functional_like_constructor
from keras.src.ops.function import make_node_key
from keras.src.ops.function import map_graph
from keras.src.ops.node import KerasHistory
from keras.src.trainers.data_adapters import (
    get_data_adapter as get_data_adapter,
)
from keras.src.trainers.data_adapters.array_data_adapter import (
    can_convert_arrays as can_convert_arrays,
)
from keras.src.utils.tracking import DotNotTrackScope
from tensorflow.python.framework.ops import gradient_registry


@contextlib.contextmanager
def unregistered_gradients():
    """Forgets the gradients that are registered while a graph is made.

    Keras adds up the replicas' gradients by an operation whose own gradient
    TensorFlow registers for good, and keeps the whole step's graph with it.
    """
    registered = gradient_registry._registry
    before = set(registered)
    try:
        yield
    finally:
        for name in set(registered) - before:
            del registered[name]


def made_again(layer, config, kind=None):
    """Makes a layer from a configuration, with the functions of another.

    For layers of Keras, the functions are the same objects, so that Keras does
    not need to find them by name.

    Args:
        layer: `keras.Layer`, the source of the functions.
        config: Dictionary, a configuration of such a layer.
        kind: Class of the new layer; by default, the class of `layer`.

    Raises:
        ValueError: If Keras does not know what the configuration names.
    """
    kind = kind or type(layer)
    functions = {}
    if _is_of_keras(kind):
        functions = {
            name: value
            for name, value in vars(layer).items()
            if name in config
            and callable(value)
            and not isinstance(value, keras.Layer)
            and not _is_of_keras(type(value))
        }
    if kind is keras.layers.Lambda:  # it needs its function at once
        return kind(**config | functions)
    try:
        made = kind.from_config(config | dict.fromkeys(functions))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Layer {layer.name!r} of type {kind.__name__} cannot be made "
            "again from its configuration. If it has a function or class of "
            "your own, name it in `keras.saving.custom_object_scope`, or "
            "register it with `keras.saving.register_keras_serializable`."
        ) from error
    for name, value in functions.items():
        setattr(made, name, value)
    return made


def _is_of_keras(kind):
    return kind.__module__.partition(".")[0] == keras.__name__


def _create_unallocated_states(layer, batch_size):
    """As Keras does for stateful layers, but not from values."""
    specs = compute_output_spec(lambda: layer.get_initial_state(batch_size))
    layer.states = keras.tree.map_structure(
        lambda spec: keras.Variable("zeros", spec.shape, trainable=False),
        specs,
    )


@contextlib.contextmanager
def unallocated():
    """Variables that are made within never get memory, or values."""
    waiting = get_global_attribute("uninitialized_variables", [])
    set_global_attribute("uninitialized_variables", [])
    states = keras.layers.RNN._create_state_variables
    keras.layers.RNN._create_state_variables = _create_unallocated_states
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        keras.layers.RNN._create_state_variables = states
        set_global_attribute("uninitialized_variables", waiting)


class Untracked:
    """A value that a layer has as an attribute and does not save or track."""

    def __init__(self, value):
        self.value = value


def children(layer):
    """Returns the layers directly inside a layer or model."""
    return list(layer._flatten_layers(include_self=False, recursive=False))


def graph_of(model):
    """Returns the `Functional` that a model runs, or `None`."""
    if isinstance(model, keras.Sequential):
        return model._functional
    return model if isinstance(model, Functional) else None


def is_graph(model):
    """Returns whether a model is defined by its graph and saved as one."""
    kind = type(model)
    if isinstance(model, keras.Sequential):
        return kind.get_config is keras.Sequential.get_config
    return (
        isinstance(model, Functional)
        and kind.get_config is Functional.get_config
        and functional_like_constructor(kind)
    )


def head_of(model):
    """Returns the operation that makes a model's output, or `None`."""
    graph = graph_of(model)
    if graph is None or len(graph.outputs) != 1:
        return None
    head = graph.outputs[0]._keras_history.operation
    head = getattr(head, "layer", head)  # of a wrapper
    return head_of(head) if isinstance(head, keras.Model) else head


def loss_weights_of(model):
    """Returns what a model was compiled with to weigh its losses."""
    return model._compile_config.config.get("loss_weights")


def is_saving_as_h5():
    """Returns whether Keras asks for configurations for its HDF5 format."""
    return get_global_attribute("use_legacy_config", False)


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
    if isinstance(current, list):
        list.__setitem__(current, slice(None), value)
    elif isinstance(current, dict):
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
