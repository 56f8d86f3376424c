"""What TensorFlow has no public name for."""

import pytest
import tensorflow as tf
from keras import layers as kl

from rigl_tf import _keras_compat


@pytest.mark.parametrize("jit_compile", [True, False])
def test_a_function_knows_whether_xla_compiles_it(jit_compile):
    """Without it, numba's products are called where XLA has no Python."""
    found = []

    @tf.function
    def inner(x):
        found.append(_keras_compat.is_for_xla())
        return x

    @tf.function(jit_compile=jit_compile)
    def outer(x):
        found.append(_keras_compat.is_for_xla())
        return inner(x) + 1.0

    outer(tf.ones([2]))
    assert found == [jit_compile, jit_compile]


def test_without_a_graph_nothing_is_for_xla():
    assert not _keras_compat.is_for_xla()


def test_a_gradient_can_be_registered_for_a_while():
    """Without it, the graphs of all models stay in memory."""
    for _ in range(2):  # the second would be refused
        with _keras_compat.unregistered_gradients():
            tf.RegisterGradient("ForAWhile")(lambda op, gradient: gradient)


def test_a_function_says_that_it_is_not_inlined():
    """Without it, a network of many kernels takes minutes to optimize."""

    @tf.function(experimental_attributes=_keras_compat.NOT_INLINED)
    def double(x):
        return 2.0 * x

    graph = double.get_concrete_function(tf.TensorSpec([]))

    assert graph.function_def.attr["_noinline"].b


def test_layers_call_the_functions_that_replace_tensorflows():
    """Without it, second derivatives of these layers are wrong."""
    called = []

    def moments(x, axes, shift=None, name=None, keep_dims=False):
        called.append("moments")
        return tf.zeros((2,)), tf.ones((2,))

    def resize_bilinear(images, size, **kwargs):
        called.append("resize")
        return tf.zeros((1, *size, 2))

    x = tf.ones((1, 2, 2, 2))
    with _keras_compat.ops_replaced(moments, resize_bilinear):
        kl.BatchNormalization()(x, training=True)
        kl.UpSampling2D(interpolation="bilinear")(x)
    assert called == ["moments", "resize"]
    kl.BatchNormalization()(x, training=True)
    kl.UpSampling2D(interpolation="bilinear")(x)

    assert called == ["moments", "resize"]
