"""Units of kernels: pooled, and expanded to their connections."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

import rigl_tf
from rigl_tf.sparsity import kernel_layout
from rigl_tf.sparsity import structures

CONV = kernel_layout.layout_for(kl.Conv2D(3, 2), (2, 2, 4, 3))
DENSE = kernel_layout.layout_for(kl.Dense(5), (7, 5))
ALL = [
    structures.Unstructured(),
    structures.Kernels2D(),
    structures.Filters(),
    structures.Blocks(2, 2),
    structures.Blocks(4, 3),
]


@pytest.mark.parametrize("kind", [CONV, DENSE], ids=["conv", "dense"])
@pytest.mark.parametrize("units", ALL, ids=str)
class TestEveryStructure:
    def test_pooling_what_is_spread_gives_it_back(self, units, kind):
        shape = units.shape(kind)
        values = np.arange(np.prod(shape), dtype="float32").reshape(shape)

        expanded = units.expand(tf.constant(values), kind)

        assert expanded.shape == kind.kernel_shape
        np.testing.assert_allclose(
            units.pool(expanded, kind), values, rtol=1e-6
        )

    def test_every_connection_is_in_one_unit(self, units, kind):
        shape = units.shape(kind)
        numbers = np.arange(np.prod(shape)).reshape(shape)

        expanded = units.expand(tf.constant(numbers), kind)

        assert set(np.unique(expanded)) == set(range(numbers.size))


def test_a_window_is_all_taps_between_two_channels():
    kernel = np.zeros(CONV.kernel_shape, "float32")
    kernel[:, :, 1, 2] = [[1, 2], [3, 6]]

    pooled = structures.Kernels2D().pool(kernel, CONV).numpy()

    assert pooled[1, 2] == 3.0
    assert np.count_nonzero(pooled) == 1


def test_an_output_is_all_that_goes_into_a_neuron():
    pooled = structures.Filters().pool(
        tf.ones((7, 5)) * [1.0, 2, 3, 4, 5], DENSE
    )

    np.testing.assert_allclose(pooled, [1, 2, 3, 4, 5])


def test_blocks_at_the_edge_are_means_of_what_they_have():
    matrix = np.zeros((7, 5), "float32")
    matrix[6, 4] = 3.0  # alone in its block of 4 x 4: three rows, one column

    pooled = structures.Blocks(4, 4).pool(matrix, DENSE)

    np.testing.assert_allclose(pooled, [[0, 0], [0, 1.0]])


def test_all_units_have_all_connections():
    """In floats, 13 * (63 / 13) is less than 63."""
    layout = kernel_layout.layout_for(kl.Dense(1), (63, 1))
    kernel = types.SimpleNamespace(layout=layout, size=63)

    found = structures.Blocks(5, 1).connections_in([kernel], [13])

    assert int(found) == 63


@pytest.mark.parametrize("rows", [0, -1, 1.5])
def test_blocks_need_a_size(rows):
    with pytest.raises(ValueError, match="`rows`"):
        structures.Blocks(rows=rows)


@pytest.mark.few(1)
@pytest.mark.parametrize("name", ["static", "set", "rigl", "gradual_pruning"])
@pytest.mark.parametrize("units", ALL[1:4], ids=str)
def test_units_stay_whole_and_their_number_exact(name, units, data):
    inputs = keras.Input((16,))
    x = kl.Reshape((4, 4, 1))(inputs)
    x = kl.Conv2D(8, 3, padding="same", activation="relu")(x)
    x = kl.Conv2D(8, 3, activation="relu")(x)
    outputs = kl.Dense(2, name="logits")(kl.Flatten()(x))
    model = rigl_tf.sparsify(
        keras.Model(inputs, outputs),
        rigl_tf.algorithms.get(name),
        sparsity=0.5,
        distribution=rigl_tf.distributions.uniform,
        schedule=rigl_tf.schedules.UpdateSchedule(2, end_step=5),
        drop_fraction=rigl_tf.schedules.Constant(0.5),
        exclude=["logits"],
        structure=units,
    )
    before = [np.array(kernel.mask) for kernel in model.kernels]
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(True))
    model.fit(*data, epochs=2, verbose=0)

    for kernel, old, budget in zip(
        model.kernels, before, model.budgets, strict=True
    ):
        part = units.pool(
            tf.cast(kernel.mask, tf.float32), kernel.layout
        ).numpy()
        assert set(np.unique(part)) <= {0.0, 1.0}
        assert np.sum(part) == budget
        if name == "static":
            np.testing.assert_array_equal(kernel.mask, old)
    if name == "set":
        assert int(model.num_changed) > 0


def test_an_empty_relu_channel_has_no_gradient_to_grow_by(data):
    """What the documentation of `Outputs` warns of."""
    inputs = keras.Input((16,))
    x = kl.Dense(8, activation="relu")(inputs)
    model = rigl_tf.sparsify(
        keras.Model(inputs, kl.Dense(2, name="logits")(x)),
        rigl_tf.algorithms.RigL(),
        sparsity=0.5,
        schedule=rigl_tf.schedules.UpdateSchedule(2, end_step=5),
        exclude=["logits"],
        structure=structures.Filters(),
        distribution=rigl_tf.distributions.uniform_all,
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(True))
    model.fit(*data, verbose=0)

    assert int(model.num_changed) == 0


def test_signs_cannot_be_fixed_for_groups():
    with pytest.raises(ValueError, match="DeepR"):
        rigl_tf.sparsify(
            keras.Sequential([keras.Input((4,)), kl.Dense(4)]),
            rigl_tf.algorithms.DeepR(),
            sparsity=0.5,
            structure=structures.Filters(),
        )
