"""The graph of calls in functional and Sequential models, to read and run."""

import contextlib
from typing import Any

import keras
from keras.src import models
from keras.src.models.functional import functional_like_constructor

Functional = models.Functional
_OF_ARRAYS = "keras.src.ops.numpy"


def graph_of(model: keras.Model) -> Any:
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


def operation_of(tensor):
    """Returns the operation that makes a `KerasTensor`, or `None`."""
    return tensor._keras_history.operation


def is_called(operation):
    """Returns whether an operation was called with a `KerasTensor`."""
    return bool(operation._inbound_nodes)


def head_of(model):
    """Returns the operation that makes a model's output, or `None`."""
    graph = graph_of(model)
    if graph is None or len(graph.outputs) != 1:
        return None
    head = operation_of(graph.outputs[0])
    head = getattr(head, "layer", head)  # of a wrapper
    return head_of(head) if isinstance(head, keras.Model) else head


def nodes_of(graph):
    """Returns the calls in a `Functional` in topological order.

    Each has `operation`, `arguments`, `input_tensors` and `outputs`.
    """
    by_depth = graph._nodes_by_depth
    return [
        node
        for depth in sorted(by_depth, reverse=True)
        for node in by_depth[depth]
    ]


def run_graph(graph, inputs, call):
    """Runs a `Functional`, with a function in place of each call.

    Args:
        graph: `Functional`.
        inputs: Structure of tensors, as the model takes them.
        call: Function of an operation and its arguments.
    """
    return graph._run_through_graph(inputs, lambda op: op, call_fn=call)


@contextlib.contextmanager
def calls_restored(operations):
    """Makes operations forget the calls that are recorded within."""
    before = [
        (each, len(each._inbound_nodes), len(each._outbound_nodes))
        for each in {id(each): each for each in operations}.values()
    ]
    try:
        yield
    finally:
        for operation, num_inbound, num_outbound in before:
            del operation._inbound_nodes[num_inbound:]
            del operation._outbound_nodes[num_outbound:]


def array_operation(operation):
    """Returns the name of an operation of `keras.ops` on arrays, or `None`.

    It is `"Add"` for `keras.ops.add`. `keras` exports no name for its class.
    """
    kind = type(operation)
    return kind.__name__ if kind.__module__ == _OF_ARRAYS else None
