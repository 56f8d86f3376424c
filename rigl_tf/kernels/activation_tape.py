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
        inputs: Float tensor of shape (examples, inputs); for a convolution,
            (examples, ..., inputs).
        outputs: Float tensor of shape (examples, outputs) or (examples, ...,
            outputs); or, once it is known, the gradient of the loss with
            respect to it.
        convolution: `Convolution`, or `None` for a product of matrices.
    """

    variable: Any
    inputs: Any
    outputs: Any
    convolution: Any = None

    def gradient(self, start, stop):
        """Returns rows of the kernel's dense gradient, as a matrix.

        Args:
            start: Integer, the first row.
            stop: Integer, the row after the last; of a convolution, of the
                same tap.
        """
        if self.convolution is not None:
            return self.convolution.gradient(
                self.inputs, self.outputs, start, stop
            )
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


def record(variable, inputs, outputs, convolution=None):
    """Adds a call of a layer to the innermost `recording`, if any."""
    if _recorders.lists:
        _recorders.lists[-1].append(
            Flow(variable, inputs, outputs, convolution)
        )
