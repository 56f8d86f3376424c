"""What algorithms see, in every precision."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

import rigl_tf
from rigl_tf import kernels
from rigl_tf.modeling import mask_update
from rigl_tf.modeling import sparse_wrapper
from rigl_tf.modeling.training_step import Batch
from rigl_tf.sparsity.structures import Unstructured


@pytest.mark.parametrize(
    ("policy", "dtype"),
    [
        ("float64", "float64"),
        ("float32", "float32"),
        ("float16", "float32"),
        ("bfloat16", "float32"),
    ],
)
def test_all_floats_in_a_view_are_of_one_type(policy, dtype):
    layer = keras.layers.Dense(3, dtype=policy)
    layer.build((None, 4))
    (kernel,) = sparse_wrapper.Sparse(layer).kernels
    gradient = np.ones((4, 3), "float16")
    sign = np.ones((4, 3), "int8")

    view = kernel.view(
        kernels.UpdateInputs(
            gradient, sign=sign, structure=Unstructured(), seed=(0, 0)
        )
    )

    for values in (view.weight, view.gradient, view.sign):
        assert values.dtype == dtype


@functools.cache
def masks_after_an_update(policy, algorithm):
    """The masks before and after one update, from the same weights."""
    rng = np.random.default_rng(0)
    network = keras.Sequential(
        [
            keras.Input((40,)),
            keras.layers.Dense(60, "relu", dtype=policy, name="hidden"),
            keras.layers.Dense(10, dtype=policy, name="logits"),
        ]
    )
    for layer in network.layers:
        kernel = rng.normal(size=layer.kernel.shape, scale=0.2)
        layer.kernel.assign(kernel.astype("float32"))
    model = rigl_tf.sparsify(
        network,
        algorithm,
        sparsity=0.8,
        schedule=rigl_tf.schedules.UpdateSchedule(2, end_step=3),
        drop_fraction=0.5,
    )
    before = [tf.identity(kernel.mask) for kernel in model.kernels]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.0, momentum=0.9), loss)
    model.run_eagerly = True  # most of a graph's time is its making
    x, y = rng.normal(size=(192, 40)), rng.integers(0, 10, 192)
    model.fit(x, y, batch_size=64, shuffle=False, verbose=0)
    assert int(model.num_updates) == 1
    return before, [tf.identity(kernel.mask) for kernel in model.kernels]


@pytest.mark.parametrize("algorithm", ["rigl", "snfs"])
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16"])
def test_bfloat16_grows_the_connections_that_float32_grows(policy, algorithm):
    """Not all: the products of the backward pass are rounded to 8 bits."""
    before, after = masks_after_an_update(policy, algorithm)
    same_start, expected = masks_after_an_update("float32", algorithm)

    for old, new, first, other in zip(
        before, after, same_start, expected, strict=True
    ):
        np.testing.assert_array_equal(old, first)
        grown = np.logical_and(new, ~old)
        wanted = np.logical_and(other, ~first)
        assert wanted.sum() > 20
        assert np.logical_and(grown, wanted).sum() > 0.95 * wanted.sum()


def test_gradients_of_bfloat16_are_added_in_float32():
    """In bfloat16, (256 + 1) / 2 is 128."""
    network = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(2, dtype="bfloat16")]
    )
    model = rigl_tf.sparsify(network, "rigl", sparsity=0.5)
    optimizer = keras.optimizers.SGD(gradient_accumulation_steps=2)
    optimizer.build(model.trainable_variables)
    (kernel,) = model.kernels
    index = optimizer._get_variable_index(kernel.variable)
    optimizer._accumulated_gradients[index].assign(256 * tf.ones((2, 2)))
    gradients = [
        tf.ones(v.shape, "bfloat16") for v in model.trainable_variables
    ]

    (gradient,) = mask_update.loss_gradients(
        model.sparse_step,
        Batch(optimizer, model.trainable_variables, gradients),
    )

    assert gradient.dtype == "float32"
    np.testing.assert_array_equal(gradient, np.full((2, 2), 128.5))


def test_moving_averages_of_bfloat16_gradients_are_in_float32():
    network = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(2, dtype="bfloat16")]
    )

    model = rigl_tf.sparsify(network, "snfs", sparsity=0.5)

    assert [v.dtype for v in model.sparse_step.momenta] == ["float32"]
