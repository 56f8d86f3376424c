"""Memory that a sparse model takes in addition to its model.

TensorFlow counts what a whole process holds, so a process of its own measures.
"""

import concurrent.futures
import gc
import multiprocessing

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

import rigl_tf

MEMORY = tf.config.experimental
WIDTH = 2048
KERNEL = 4 * WIDTH * WIDTH  # bytes of a float32 kernel


def network(num_layers, width=WIDTH):
    dense = [kl.Dense(width, use_bias=False) for _ in range(num_layers)]
    return keras.Sequential([keras.Input((width,)), *dense])


def held():
    """Kernels' worth of memory that is held."""
    gc.collect()
    MEMORY.reset_memory_stats("CPU:0")
    return MEMORY.get_memory_info("CPU:0")["current"] / KERNEL


def peak():
    return MEMORY.get_memory_info("CPU:0")["peak"] / KERNEL


def of_sparsify_and_densify(num_layers, algorithm, **kwargs):
    """What each keeps and at most needs beside the model, in kernels."""
    # Building a network lets go of its last temporaries late.
    dense = held() + num_layers
    model = network(num_layers)
    held()
    sparse = rigl_tf.sparsify(model, algorithm, sparsity=0.9, **kwargs)
    peak_of_sparsify = peak() - dense
    before = held()
    densified = rigl_tf.densify(sparse)
    peak_of_densify = peak() - before
    return (
        (before - dense, peak_of_sparsify),
        (held() - before, peak_of_densify),
        densified is model,
    )


@pytest.fixture(scope="module")
def process():
    try:
        MEMORY.reset_memory_stats("CPU:0")
    except ValueError as error:  # TensorFlow without oneDNN
        pytest.skip(str(error))
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, spawn) as pool:
        # What TensorFlow keeps once.
        pool.submit(of_sparsify_and_densify, 1, "rigl").result()
        yield lambda *args, **kwargs: pool.submit(*args, **kwargs).result()


@pytest.mark.few(1)
@pytest.mark.parametrize("masks", ["random", "magnitude"])
@pytest.mark.parametrize("num_layers", [1, 4])
def test_a_sparse_model_adds_one_byte_a_connection(process, num_layers, masks):
    (kept, _), _, _ = process(
        of_sparsify_and_densify, num_layers, "rigl", masks=masks
    )

    assert num_layers / 4 <= kept <= num_layers / 4 + 0.05


@pytest.mark.few(1)
@pytest.mark.parametrize("algorithm", ["rigl", "gradual_pruning"])
@pytest.mark.parametrize("num_layers", [1, 6])
def test_no_second_copy_of_the_kernels_is_made(process, num_layers, algorithm):
    (_, peak), (kept, peak_of_densify), is_same = process(
        of_sparsify_and_densify, num_layers, algorithm
    )

    # The masks, and one kernel times its mask before it takes its place.
    assert peak <= num_layers / 4 + 2
    assert is_same
    assert kept <= 0
    assert peak_of_densify <= 1.5


def test_scores_of_all_kernels_are_not_held_at_once(process):
    (_, peak), _, _ = process(
        of_sparsify_and_densify, 8, "rigl", masks="magnitude_global"
    )

    # All masks as they are chosen and as they are set; the rest is of one.
    assert peak <= 2 * 8 / 4 + 6


def test_a_copy_that_is_asked_for_is_one(process):
    (kept, _), _, _ = process(of_sparsify_and_densify, 1, "rigl", copy=True)

    assert 1.25 <= kept <= 1.3


def test_the_kernels_are_the_same_memory():
    model = network(1, 64)
    variable = model.layers[0].kernel

    sparse = rigl_tf.sparsify(model, "rigl", sparsity=0.5)

    assert sparse.kernels[0].variable is variable
    assert sparse.trainable_variables[0] is variable
    variable.assign(variable * 3)
    x = np.ones((2, 64), "float32")
    np.testing.assert_array_equal(sparse(x), model(x))
