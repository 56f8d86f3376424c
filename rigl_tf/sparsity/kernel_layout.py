"""The dimensions of kernels: kernel positions, inputs and outputs."""

import dataclasses
import math

import keras
import tensorflow as tf
from keras import layers as kl

from rigl_tf.typing import Shape

_TRANSPOSED = (kl.Conv1DTranspose, kl.Conv2DTranspose, kl.Conv3DTranspose)
_DEPTHWISE = (kl.DepthwiseConv1D, kl.DepthwiseConv2D)


@dataclasses.dataclass(frozen=True)
class Layout:
    """A kernel as a stack of matrices, one for each kernel position.

    Attributes:
        kernel_shape: Tuple of integers.
        order: Tuple of integers, the permutation of the kernel's dimensions to
            the order kernel positions, inputs, outputs.
        kernel_positions: Integer, spatial positions of a convolution kernel; 1
            for other layers.
        inputs: Integer, inputs of each output: 1 if depthwise.
        outputs: Integer, neurons or channels.
    """

    kernel_shape: tuple
    order: tuple
    kernel_positions: int
    inputs: int
    outputs: int

    def stack(self, values: tf.Tensor) -> tf.Tensor:
        """Reshapes from kernel shape to (kernel positions, inputs, outputs)."""
        return tf.reshape(
            _permute(values, self.order),
            (self.kernel_positions, self.inputs, self.outputs),
        )

    def unstack(self, stacked: tf.Tensor) -> tf.Tensor:
        """Inverts `stack`."""
        inverse = tuple(map(self.order.index, range(len(self.order))))
        ordered = tuple(self.kernel_shape[i] for i in self.order)
        return _permute(tf.reshape(stacked, ordered), inverse)

    def matrix(self, values: tf.Tensor) -> tf.Tensor:
        """Reshapes from kernel shape to a matrix, inputs by outputs."""
        return tf.reshape(self.stack(values), (-1, self.outputs))

    def from_matrix(self, matrix: tf.Tensor) -> tf.Tensor:
        """Inverts `matrix`."""
        shape = (self.kernel_positions, self.inputs, self.outputs)
        return self.unstack(tf.reshape(matrix, shape))


def layout_for(layer: keras.layers.Layer, shape: Shape) -> Layout:
    """Returns the layout of a layer's kernel.

    Args:
        layer: `keras.layers.Layer` with the kernel.
        shape: Tuple of integers, the kernel shape.

    Returns:
        `Layout`.
    """
    rank = len(shape)
    order = list(range(rank))
    inputs, outputs = [rank - 2], [rank - 1]
    if isinstance(layer, kl.EinsumDense):
        # The kernel is not summed over letters of the output.
        _, kernel, output = _operands(layer.equation)
        inputs = [i for i in order if kernel[i] not in output]
        outputs = [i for i in order if kernel[i] in output]
    elif isinstance(layer, _TRANSPOSED):
        inputs, outputs = outputs, inputs
    elif isinstance(layer, _DEPTHWISE):
        inputs, outputs = [], [rank - 2, rank - 1]
    spatial = [i for i in order if i not in inputs + outputs]
    order = tuple(spatial + inputs + outputs)
    return Layout(
        kernel_shape=tuple(shape),
        order=order,
        kernel_positions=math.prod(shape[i] for i in spatial),
        inputs=math.prod(shape[i] for i in inputs),
        outputs=math.prod(shape[i] for i in outputs),
    )


def matrices(equation: str) -> tuple[str, str, str] | None:
    """Returns the letters of an `EinsumDense` that multiplies two matrices.

    Args:
        equation: String.

    Returns:
        Three strings, the letters of the examples, of the summed dimensions
        and of the output dimensions; `None` for any other equation.
    """
    inputs, kernel, output = _operands(equation)
    made = "".join(letter for letter in kernel if letter in output)
    summed, examples = kernel.removesuffix(made), output.removesuffix(made)
    is_product = summed + made == kernel and examples + summed == inputs
    return (examples, summed, made) if is_product else None


def _operands(equation: str) -> tuple[str, str, str]:
    """Returns the letters of the inputs, the kernel and the output."""
    left, output = equation.replace(" ", "").split("->")
    inputs, kernel = left.split(",")
    return inputs, kernel, output


def _permute(values: tf.Tensor, order: Shape) -> tf.Tensor:
    if order == tuple(range(len(order))):
        return values
    return tf.transpose(values, order)
