"""Algorithms that keep something for every connection, in every precision."""

import keras
import numpy as np
import pytest

import rigl_tf
from rigl_tf import algorithms
from rigl_tf import schedules
from rigl_tf import storage
from rigl_tf.granularity import Connections
from rigl_tf.modeling import sparse_wrapper


@pytest.mark.parametrize(
    ("policy", "dtype"),
    [("float64", "float64"), ("float32", "float32"), ("float16", "float32")],
)
def test_all_floats_in_a_view_are_of_one_type(policy, dtype):
    layer = keras.layers.Dense(3, dtype=policy)
    layer.build((None, 4))
    (kernel,) = sparse_wrapper.Sparse(layer).kernels
    gradient = np.ones((4, 3), "float16")
    sign = np.ones((4, 3), "int8")

    view = kernel.view(
        storage.UpdateInputs(
            gradient, sign=sign, granularity=Connections(), seed=(0, 0)
        )
    )

    for values in (view.weight, view.gradient, view.sign):
        assert values.dtype == dtype


def array(variable):
    return keras.ops.convert_to_numpy(variable).astype("float64")


@pytest.mark.parametrize(
    "policy",
    [
        "float32",
        "float64",
        "float16",
        "mixed_float16",
        "bfloat16",
        "mixed_bfloat16",
    ],
)
@pytest.mark.parametrize(
    "algorithm",
    # A walk that makes weights cross zero within a few steps.
    [algorithms.SNFS(), algorithms.DeepR(l1=0.01, temperature=0.01)],
    ids=lambda algorithm: type(algorithm).__name__,
)
def test_masks_are_exact_and_weights_finite(algorithm, policy, data):
    keras.config.set_dtype_policy(policy)
    network = keras.Sequential(
        [
            keras.Input((16,)),
            keras.layers.Dense(20, activation="tanh"),
            keras.layers.Dense(2),
        ]
    )
    model = rigl_tf.sparsify(
        network,
        algorithm,
        sparsity=0.7,
        schedule=schedules.UpdateSchedule(2, end_step=100),
    )
    model.compile(
        keras.optimizers.SGD(0.1, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        run_eagerly=True,
    )

    model.fit(*data, batch_size=40, verbose=0)

    assert int(model.num_skipped) == 0
    assert int(model.num_updates) == 2
    assert int(model.num_changed) > 0
    counts = [int(kernel.count()) for kernel in model.kernels]
    assert sum(counts) == sum(model.budgets)
    for kernel in model.kernels:
        weight, mask = array(kernel.variable), np.array(kernel.mask)
        assert np.all(np.isfinite(weight))
        assert np.count_nonzero(weight[mask]) > 0
        assert not np.any(weight[~mask])
    for variable in model.non_trainable_variables:
        if "float" in variable.dtype:
            assert np.all(np.isfinite(array(variable)))
