"""Kernel positions, inputs and outputs of every kind of kernel."""

import keras
import numpy as np
import pytest
from keras import layers as kl

from rigl_tf.sparsity import kernel_layout

# The layer, its kernel's shape, and kernel positions, inputs, outputs.
KINDS = {
    "dense": (kl.Dense(5), (3, 5), (1, 3, 5)),
    "convolution": (kl.Conv2D(7, (2, 3)), (2, 3, 4, 7), (6, 4, 7)),
    "transposed": (kl.Conv1DTranspose(7, 2), (2, 7, 4), (2, 4, 7)),
    "depthwise": (
        kl.DepthwiseConv2D((2, 3), depth_multiplier=5),
        (2, 3, 4, 5),
        (6, 1, 20),
    ),
    "attention": (
        kl.EinsumDense("abc,cde->abde", (None, 2, 3)),
        (4, 2, 3),
        (1, 4, 6),
    ),
    "outputs_first": (
        kl.EinsumDense("abc,dce->abde", (None, 2, 3)),
        (2, 4, 3),
        (1, 4, 6),
    ),
    "two_inputs": (
        kl.EinsumDense("abcd,cde->abe", (None, 5)),
        (2, 3, 5),
        (1, 6, 5),
    ),
}


@pytest.mark.parametrize("kind", sorted(KINDS))
class TestEveryKind:
    def test_has_its_taps_inputs_and_outputs(self, kind):
        layer, shape, expected = KINDS[kind]

        found = kernel_layout.layout_for(layer, shape)

        assert (found.kernel_positions, found.inputs, found.outputs) == expected

    def test_comes_back_from_its_stack(self, kind):
        layer, shape, _ = KINDS[kind]
        values = np.arange(np.prod(shape)).reshape(shape)

        found = kernel_layout.layout_for(layer, shape)

        np.testing.assert_array_equal(
            found.unstack(found.stack(values)), values
        )


def test_the_outputs_of_a_matrix_are_the_neurons_of_the_layer():
    layer = kl.EinsumDense("abc,dce->abde", (None, 2, 3))
    layer.build((None, 1, 4))
    x = np.random.default_rng(0).normal(size=(1, 1, 4)).astype("float32")

    found = kernel_layout.layout_for(layer, tuple(layer.kernel.shape))
    by_matrix = x.reshape(1, 4) @ found.matrix(layer.kernel).numpy()

    np.testing.assert_allclose(
        keras.ops.reshape(layer(x), (1, 6)), by_matrix, rtol=1e-5
    )
