"""A record of the calls of layers, from which their gradients follow."""

import contextlib
import threading
from typing import Any
from typing import NamedTuple

import tensorflow as tf


class Flow(NamedTuple):
    """One call of a layer that multiplies by its kernel.

    Attributes:
        variable: The kernel's `keras.Variable`.
        inputs: Float tensor of shape (examples, inputs).
        outputs: Float tensor of shape (examples, outputs); or, once it is
            known, the gradient of the loss with respect to it.
    """

    variable: Any
    inputs: Any
    outputs: Any

    def gradient(self, start, stop):
        """Returns rows `start` to `stop` of the kernel's dense gradient."""
        return tf.matmul(
            self.inputs[:, start:stop], self.outputs, transpose_a=True
        )


class _Recorders(threading.local):  # each replica has its own thread
    def __init__(self):
        self.lists = []


_recorders = _Recorders()


@contextlib.contextmanager
def recording():
    """Yields a list, to which every `record` in the context adds a `Flow`."""
    flows = []
    _recorders.lists.append(flows)
    try:
        yield flows
    finally:
        _recorders.lists.pop()


def record(variable, inputs, outputs):
    """Adds a call of a layer to the innermost `recording`, if any."""
    if _recorders.lists:
        _recorders.lists[-1].append(Flow(variable, inputs, outputs))
