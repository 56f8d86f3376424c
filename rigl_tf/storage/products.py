"""Multiplies by a kernel of which only active connections are stored."""

import tensorflow as tf

from rigl_tf.storage import csr_product

try:
    from rigl_tf.storage import numba_product
except ImportError:  # the extra `rigl_tf[fast]` is not installed
    numba_product = None


def product(inputs, outputs):
    """The fastest `Product` that is there, for a kernel of these sizes."""
    fastest = csr_product if numba_product is None else numba_product
    return fastest.Product(inputs, outputs)


def multiply(product, x, values, active):
    """`x @ kernel`, with the gradients of active connections only.

    Args:
        product: `Product`.
        x: float32 tensor of shape (examples, inputs).
        values: float32 tensor, a weight for each position.
        active: int32 tensor, sorted flat positions, padding at the end.

    Returns:
        float32 tensor of shape (examples, outputs).
    """

    @tf.custom_gradient
    def of(x, values):
        def gradient(dy):
            return product.backward(x, values, active, dy)

        return product.forward(x, values, active), gradient

    return of(x, values)
