"""Small things that many parts do with tensors."""

import pytest
import tensorflow as tf

from rigl_tf.utils import tensors


@pytest.mark.parametrize("jit_compile", [True, False])
def test_a_function_knows_whether_xla_compiles_it(jit_compile):
    found = []

    @tf.function
    def inner(x):
        found.append(tensors.is_for_xla())
        return x

    @tf.function(jit_compile=jit_compile)
    def outer(x):
        found.append(tensors.is_for_xla())
        return inner(x) + 1.0

    outer(tf.ones([2]))
    assert found == [jit_compile, jit_compile]


def test_without_a_graph_nothing_is_for_xla():
    assert not tensors.is_for_xla()
