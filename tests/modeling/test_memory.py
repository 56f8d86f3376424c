"""Memory that a sparse model takes in addition to its model."""

import gc

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

import rigl_tf

MEMORY = tf.config.experimental
WIDTH = 2048
KERNEL = 4 * WIDTH * WIDTH  # bytes of a float32 kernel


@pytest.fixture(autouse=True)
def a_device_that_counts():
    try:
        MEMORY.reset_memory_stats("CPU:0")
    except ValueError as error:  # TensorFlow without oneDNN
        pytest.skip(str(error))
    keras.backend.clear_session()
    small = network(1, 2)
    rigl_tf.densify(rigl_tf.sparsify(small, "rigl", sparsity=0.5))


def network(num_layers, width=WIDTH):
    dense = [kl.Dense(width, use_bias=False) for _ in range(num_layers)]
    return keras.Sequential([keras.Input((width,)), *dense])


def measured(function, *args, **kwargs):
    """A result, and what a call keeps and at most needs, in kernels."""
    gc.collect()
    MEMORY.reset_memory_stats("CPU:0")
    before = MEMORY.get_memory_info("CPU:0")["current"]
    result = function(*args, **kwargs)
    gc.collect()
    after = MEMORY.get_memory_info("CPU:0")
    kept, peak = after["current"] - before, after["peak"] - before
    return result, kept / KERNEL, peak / KERNEL


@pytest.mark.parametrize("masks", ["random", "magnitude"])
@pytest.mark.parametrize("num_layers", [1, 4])
def test_a_sparse_model_adds_one_byte_a_connection(num_layers, masks):
    model = network(num_layers)

    _, kept, _ = measured(
        rigl_tf.sparsify, model, "rigl", sparsity=0.9, masks=masks
    )

    assert num_layers / 4 <= kept <= num_layers / 4 + 0.1


@pytest.mark.parametrize("algorithm", ["rigl", "gradual_pruning"])
@pytest.mark.parametrize("num_layers", [1, 6])
def test_no_second_copy_of_the_kernels_is_made(num_layers, algorithm):
    model = network(num_layers)

    sparse, _, peak = measured(rigl_tf.sparsify, model, algorithm, sparsity=0.9)
    dense, kept, peak_of_densify = measured(rigl_tf.densify, sparse)

    # The masks, and one kernel times its mask before it takes its place.
    assert peak <= num_layers / 4 + 2
    assert dense is model
    assert kept <= 0
    assert peak_of_densify <= 1.5


def test_scores_of_all_kernels_are_not_held_at_once():
    model = network(8)

    _, _, peak = measured(
        rigl_tf.sparsify,
        model,
        "rigl",
        sparsity=0.9,
        masks="magnitude_global",
    )

    # All masks as they are chosen and as they are set; the rest is of one.
    assert peak <= 2 * 8 / 4 + 6


def test_a_copy_that_is_asked_for_is_one():
    _, kept, _ = measured(
        rigl_tf.sparsify, network(1), "rigl", sparsity=0.9, copy=True
    )

    assert 1.25 <= kept <= 1.35


def test_the_kernels_are_the_same_memory():
    model = network(1, 64)
    variable = model.layers[0].kernel

    sparse = rigl_tf.sparsify(model, "rigl", sparsity=0.5)

    assert sparse.kernels[0].variable is variable
    assert sparse.trainable_variables[0] is variable
    variable.assign(variable * 3)
    x = np.ones((2, 64), "float32")
    np.testing.assert_array_equal(sparse(x), model(x))
