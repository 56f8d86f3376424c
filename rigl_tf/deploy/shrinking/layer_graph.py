"""The graph of layer calls in a functional model."""

from typing import NamedTuple

import keras

from rigl_tf._keras_compat import nodes_of


class Call(NamedTuple):
    """One call of an operation.

    Attributes:
        operation: `keras.Operation`, most often a layer.
        arguments: Keras's record of the arguments of the call.
        inputs: List of `keras.KerasTensor`.
        outputs: List of `keras.KerasTensor`.
        is_only_call: Boolean, whether the model calls the operation once.
    """

    operation: keras.Operation
    arguments: object
    inputs: list
    outputs: list
    is_only_call: bool

    @property
    def num_channels(self):
        """Number of channels of the first output, or `None` if unknown."""
        return num_channels(self.outputs[0])

    def keeps_channels(self):
        """Returns whether all inputs and the one output have equal channels."""
        return (
            len(self.outputs) == 1
            and self.num_channels is not None
            and {num_channels(tensor) for tensor in self.inputs}
            == {self.num_channels}
        )


def num_channels(tensor):
    """Returns the size of the last axis, or `None` if it is unknown."""
    return tensor.shape[-1] if len(tensor.shape) > 1 else None


def calls(model):
    """Returns the calls of a functional model in topological order.

    Args:
        model: Functional `keras.Model`.

    Returns:
        List of `Call`.
    """
    nodes = nodes_of(model)
    used = [id(node.operation) for node in nodes]
    return [
        Call(
            node.operation,
            node.arguments,
            node.input_tensors,
            node.outputs,
            used.count(id(node.operation)) == 1,
        )
        for node in nodes
    ]
