"""What the dimensions of a kernel mean: taps, inputs, outputs."""

import dataclasses
import math

import tensorflow as tf
from keras import layers as kl

_TRANSPOSED = (kl.Conv1DTranspose, kl.Conv2DTranspose, kl.Conv3DTranspose)
_DEPTHWISE = (kl.DepthwiseConv1D, kl.DepthwiseConv2D)


@dataclasses.dataclass(frozen=True)
class Layout:
    """A kernel as a stack of matrices, one for each tap of a window.

    Attributes:
        kernel_shape: Tuple of integers.
        order: Tuple of integers, the kernel's dimensions put in the order
            taps, inputs, outputs.
        taps: Integer, positions of a convolution's window; 1 for others.
        inputs: Integer, inputs that an output may see: 1 if depthwise.
        outputs: Integer, neurons or channels.
    """

    kernel_shape: tuple
    order: tuple
    taps: int
    inputs: int
    outputs: int

    def stack(self, values):
        """A tensor of kernel shape as one of shape (taps, inputs, outputs)."""
        return tf.reshape(
            _permuted(values, self.order),
            (self.taps, self.inputs, self.outputs),
        )

    def unstack(self, stacked):
        """The inverse of `stack`."""
        inverse = tuple(map(self.order.index, range(len(self.order))))
        ordered = tuple(self.kernel_shape[i] for i in self.order)
        return _permuted(tf.reshape(stacked, ordered), inverse)

    def matrix(self, values):
        """A tensor of kernel shape as a matrix, inputs by outputs."""
        return tf.reshape(self.stack(values), (-1, self.outputs))


def of(layer, shape):
    """The layout of a layer's kernel.

    Args:
        layer: The `keras.layers.Layer` that computes with the kernel.
        shape: Tuple of integers, the kernel's shape.

    Returns:
        `Layout`.
    """
    rank = len(shape)
    order = list(range(rank))
    inputs, outputs = [rank - 2], [rank - 1]
    if isinstance(layer, kl.EinsumDense):
        # The kernel's letters that are in the output are not summed.
        _, kernel, output = _operands(layer.equation)
        inputs = [i for i in order if kernel[i] not in output]
        outputs = [i for i in order if kernel[i] in output]
    elif isinstance(layer, _TRANSPOSED):
        inputs, outputs = outputs, inputs
    elif isinstance(layer, _DEPTHWISE):
        inputs, outputs = [], [rank - 2, rank - 1]
    taps = [i for i in order if i not in inputs + outputs]
    order = tuple(taps + inputs + outputs)
    return Layout(
        kernel_shape=tuple(shape),
        order=order,
        taps=math.prod(shape[i] for i in taps),
        inputs=math.prod(shape[i] for i in inputs),
        outputs=math.prod(shape[i] for i in outputs),
    )


def matrices(equation):
    """The letters of an `EinsumDense` that multiplies two matrices.

    Args:
        equation: String.

    Returns:
        Three strings, the letters of the examples, of what is summed and of
        what is made; or `None` if the equation says anything else.
    """
    inputs, kernel, output = _operands(equation)
    made = "".join(letter for letter in kernel if letter in output)
    summed, examples = kernel.removesuffix(made), output.removesuffix(made)
    is_product = summed + made == kernel and examples + summed == inputs
    return (examples, summed, made) if is_product else None


def _operands(equation):
    """The letters of the inputs, of the kernel and of the output."""
    left, output = equation.replace(" ", "").split("->")
    return (*left.split(","), output)


def _permuted(values, order):
    if order == tuple(range(len(order))):
        return values
    return tf.transpose(values, order)
