"""The sizes of a convolution, and its dense gradient a few rows at a time."""

import dataclasses
import math
from typing import Any

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Axis:
    """One spatial dimension of a convolution.

    Attributes:
        taps: Integer, positions of the kernel.
        stride: Integer, input positions between two output positions.
        dilation: Integer, input positions between two taps.
        padding: `"valid"`, `"same"` or `"causal"`.
    """

    taps: int = 1
    stride: int = 1
    dilation: int = 1
    padding: str = "valid"

    @property
    def extent(self) -> int:
        """Integer, input positions from the first tap to the last."""
        return (self.taps - 1) * self.dilation + 1

    def outputs(self, size: Any) -> Any:
        """Returns the output positions for `size` input positions."""
        if self.padding == "valid":
            size = size - self.extent + 1
        return -(-size // self.stride)

    def zeros(self, size: Any) -> tuple[Any, Any]:
        """Returns how many zeros are before the input and after it."""
        seen = (self.outputs(size) - 1) * self.stride + self.extent
        total = _positive(seen - size)
        before = {"valid": 0, "same": total // 2, "causal": self.extent - 1}
        return before[self.padding], total - before[self.padding]


@dataclasses.dataclass(frozen=True)
class Convolution:
    """A convolution, apart from its weights and the size of its inputs.

    Attributes:
        axes: Tuple of `Axis`.
        inputs: Integer, channels.
        outputs: Integer, channels.
        groups: Integer, parts of the channels that are convolved apart.
    """

    axes: tuple[Axis, ...]
    inputs: int
    outputs: int
    groups: int = 1

    @property
    def taps(self) -> int:
        """Integer, positions of the kernel."""
        return math.prod(axis.taps for axis in self.axes)

    @property
    def rows(self) -> int:
        """Integer, connections of an output at one tap."""
        return self.inputs // self.groups

    def output_shape(self, shape: Any) -> tuple[Any, ...]:
        """Returns the shape of the outputs for a shape of inputs."""
        sizes = [
            None if size is None else axis.outputs(size)
            for axis, size in zip(self.axes, shape[1:-1], strict=True)
        ]
        return (shape[0], *sizes, self.outputs)

    def gradient(
        self, x: tf.Tensor, dy: tf.Tensor, start: Any, stop: Any
    ) -> tf.Tensor:
        """Returns rows of the dense gradient of the kernel, as a matrix.

        Args:
            x: Float tensor of shape (examples, ..., inputs).
            dy: Float tensor of shape (examples, ..., outputs).
            start: Integer, the first row, tap by tap.
            stop: Integer, the row after the last, of the same tap.

        Returns:
            Float tensor of shape (stop - start, outputs).
        """
        tap, row = start // self.rows, start % self.rows
        seen = tf.reshape(self.shifted(x, tap), (-1, self.groups, self.rows))[
            :, :, row : row + stop - start
        ]
        above = tf.reshape(dy, (-1, self.groups, self.outputs // self.groups))
        if self.groups == 1:
            return tf.matmul(seen[:, 0], above[:, 0], transpose_a=True)
        rows = tf.einsum("mgr,mgo->rgo", seen, above)
        return tf.reshape(rows, (-1, self.outputs))

    def shifted(self, x: tf.Tensor, tap: Any) -> tf.Tensor:
        """Returns what the outputs see of the inputs through one tap.

        Args:
            x: Float tensor of shape (examples, ..., inputs).
            tap: Integer, in the order of the kernel's positions.

        Returns:
            Float tensor of shape (examples, ..., inputs), with a position for
            every output position.
        """
        sizes = x.shape[1:-1]
        if None in sizes:
            sizes = tf.unstack(tf.shape(x)[1:-1])
        zeros, begin, end = [], [], []
        for axis, size in reversed([*zip(self.axes, sizes, strict=True)]):
            first = tap % axis.taps * axis.dilation
            tap = tap // axis.taps
            zeros.insert(0, axis.zeros(size))
            begin.insert(0, first)
            last = (axis.outputs(size) - 1) * axis.stride
            end.insert(0, first + last + 1)
        x = tf.pad(x, [(0, 0), *zeros, (0, 0)])
        return tf.strided_slice(
            x,
            [0, *begin, 0],
            [tf.shape(x)[0], *end, self.inputs],
            [1, *(axis.stride for axis in self.axes), 1],
        )


def _positive(number: Any) -> Any:
    return max(number, 0) if isinstance(number, int) else tf.maximum(number, 0)
