"""The calls that a functional model consists of."""

from typing import NamedTuple

import keras


class Call(NamedTuple):
    """An operation, used once on some tensors.

    Attributes:
        operation: `keras.Operation`, most often a layer.
        arguments: Keras's record of what it is called with.
        inputs: List of `keras.KerasTensor`.
        outputs: List of `keras.KerasTensor`.
        only: Boolean, whether the model calls the operation nowhere else.
    """

    operation: keras.Operation
    arguments: object
    inputs: list
    outputs: list
    only: bool

    @property
    def num_channels(self):
        """Integer or `None`, of the first output."""
        return num_channels(self.outputs[0])

    def keeps_channels(self):
        """Whether every input and the only output have as many channels."""
        return (
            len(self.outputs) == 1
            and self.num_channels is not None
            and {num_channels(tensor) for tensor in self.inputs}
            == {self.num_channels}
        )


def num_channels(tensor):
    """The size of the last axis; `None` if it is open or there is none."""
    return tensor.shape[-1] if len(tensor.shape) > 1 else None


def calls(model):
    """The calls of a functional model, each after those that it depends on.

    Args:
        model: Functional `keras.Model`.

    Returns:
        List of `Call`.
    """
    by_depth = model._nodes_by_depth  # no public way
    nodes = [n for depth in sorted(by_depth)[::-1] for n in by_depth[depth]]
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
