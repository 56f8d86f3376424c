"""What TensorFlow has no public name for."""

import contextlib

import tensorflow as tf
from tensorflow.python.framework.ops import gradient_registry
from tensorflow.python.ops import control_flow_util
from tensorflow.python.ops import gen_image_ops
from tensorflow.python.ops import nn_impl

# For `tf.function(experimental_attributes=...)`: it stays one function in the
# graphs that call it, and is not copied into them.
NOT_INLINED = {"_noinline": True}


def is_for_xla():
    """Returns whether what is traced now will be compiled by XLA."""
    graph = tf.compat.v1.get_default_graph()
    return control_flow_util.GraphOrParentsInXlaContext(graph)


@contextlib.contextmanager
def unregistered_gradients():
    """Forgets the gradients that are registered while a graph is made.

    Keras adds up the replicas' gradients by an operation whose own gradient
    TensorFlow registers for good, and keeps the whole step's graph with it.
    """
    registered = gradient_registry._registry
    before = set(registered)
    try:
        yield
    finally:
        for name in set(registered) - before:
            del registered[name]


@contextlib.contextmanager
def ops_replaced(moments, resize_bilinear):
    """Lets `tf.nn.moments` and `tf.image.resize` call other functions.

    Args:
        moments: Function like `tf.compat.v1.nn.moments`.
        resize_bilinear: Function like `tf.raw_ops.ResizeBilinear`, whose
            first two arguments have no names.
    """
    before = nn_impl.moments, gen_image_ops.resize_bilinear
    nn_impl.moments = moments
    gen_image_ops.resize_bilinear = resize_bilinear
    try:
        yield
    finally:
        nn_impl.moments, gen_image_ops.resize_bilinear = before
