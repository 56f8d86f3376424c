"""Multiplies by a kernel that stores active connections only."""

import contextlib
from typing import Any

import tensorflow as tf

from rigl_tf.kernels.ops import block_matmul
from rigl_tf.kernels.ops import conv_matmul
from rigl_tf.kernels.ops import csr_matmul
from rigl_tf.kernels.ops.convolution import Convolution
from rigl_tf.typing import Shape


def product(inputs: int, outputs: int, unit: Shape = ()) -> Any:
    """Returns the fastest available `Product` for a kernel.

    Args:
        inputs: Integer, rows of the kernel as a matrix.
        outputs: Integer, its columns.
        unit: The shape of a unit's weights: `()` for connections and
            `(rows, columns)` for blocks.
    """
    # numba takes a second to import and belongs to the extra `rigl_tf[fast]`.
    if not unit:
        try:
            from rigl_tf.kernels.ops import numba_csr_matmul as fastest
        except ImportError:
            fastest = csr_matmul
        return fastest.Product(inputs, outputs)
    fastest = block_matmul
    if _fill_registers(unit):
        with contextlib.suppress(ImportError):
            from rigl_tf.kernels.ops import numba_block_matmul as fastest
    return fastest.Product(inputs, outputs, *unit)


def convolution(sizes: Convolution, unit: Shape = ()) -> Any:
    """Returns the fastest available `Product` for a convolution.

    Args:
        sizes: `Convolution`; of one group, except with numba and without
            blocks.
        unit: The shape of a unit's weights: `()` for connections, `(taps,)`
            for whole k x k kernels, which need numba, and `(rows, columns)`
            for blocks.
    """
    if len(unit) == 2:
        if _fill_registers(unit):
            with contextlib.suppress(ImportError):
                from rigl_tf.kernels.ops import numba_block_conv

                return numba_block_conv.Product(sizes, *unit)
        return conv_matmul.BlockProduct(sizes, *unit)
    if unit:
        from rigl_tf.kernels.ops import numba_kernel_conv

        return numba_kernel_conv.Product(sizes)
    try:
        from rigl_tf.kernels.ops import numba_conv
    except ImportError:
        return conv_matmul.ConnectionProduct(sizes)
    return numba_conv.Product(sizes)


def multiply(
    product: Any, x: tf.Tensor, values: tf.Tensor, active: tf.Tensor
) -> Any:
    """Computes `x @ kernel`, with gradients of active connections only.

    Args:
        product: `Product`.
        x: float32 tensor of shape (examples, inputs), or of pictures.
        values: float32 tensor, one entry for each unit.
        active: int32 tensor, sorted numbers of units, padding at the end.

    Returns:
        float32 tensor of shape (examples, outputs).
    """

    @tf.custom_gradient
    def of(x, values):
        def gradient(dy):
            return product.backward(x, values, active, dy)

        return product.forward(x, values, active), gradient

    return of(x, values)


def _fill_registers(block):
    """Returns whether compiled code on the CPU multiplies blocks."""
    devices = tf.config.get_visible_devices()
    has_accelerators = any(d.device_type != "CPU" for d in devices)
    return not has_accelerators and not any(side % 8 for side in block)
