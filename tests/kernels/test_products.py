"""Products with stored connections against products of matrices."""

import numpy as np
import pytest
import tensorflow as tf

from rigl_tf.kernels import index_sets
from rigl_tf.kernels.ops import csr_matmul
from rigl_tf.kernels.ops import numba_csr_matmul

PRODUCTS = pytest.mark.parametrize(
    "module", [csr_matmul, numba_csr_matmul], ids=["csr", "numba"]
)


def example(num, inputs, outputs, density, seed=0):
    rng = np.random.default_rng(seed)
    size = inputs * outputs
    count = max(int(size * density), 1)
    active = np.sort(rng.permutation(size)[:count]).astype("int32")
    values = rng.normal(size=count).astype("float32")
    kernel = np.zeros((inputs, outputs), "float32")
    kernel.flat[active] = values
    x = rng.normal(size=(num, inputs)).astype("float32")
    dy = rng.normal(size=(num, outputs)).astype("float32")
    return active, values, kernel, x, dy


@pytest.mark.few(4)
@PRODUCTS
@pytest.mark.parametrize(
    ("num", "inputs", "outputs", "density"),
    [
        (1, 64, 64, 1.0),
        (7, 37, 53, 0.1),
        (130, 90, 70, 0.5),  # two rows of examples, neither full
        (300, 1100, 9, 0.01),  # several blocks of inputs
        (40, 5, 2500, 0.01),  # several blocks of outputs
        (3, 20, 10, 0.005),  # a single connection
    ],
)
@pytest.mark.parametrize("room", [0, 5])
def test_it_multiplies_like_the_dense_kernel(
    module, num, inputs, outputs, density, room
):
    active, values, kernel, x, dy = example(num, inputs, outputs, density)
    padded = index_sets.padded(tf.constant(active), len(active) + room)
    product = module.Product(inputs, outputs)
    more = np.pad(values, (0, room), constant_values=9.0)  # must not count

    y = product.forward(tf.constant(x), tf.constant(more), padded)
    dx, dvalues = product.backward(
        tf.constant(x), tf.constant(more), padded, tf.constant(dy)
    )

    np.testing.assert_allclose(y, x @ kernel, atol=1e-4)
    np.testing.assert_allclose(dx, dy @ kernel.T, atol=1e-4)
    np.testing.assert_allclose(
        dvalues[: len(active)], (x.T @ dy).flat[active], atol=1e-4
    )
    assert not np.any(dvalues[len(active) :])


@PRODUCTS
def test_it_notices_that_connections_have_moved(module):
    product = module.Product(30, 20)

    for seed in range(3):
        active, values, kernel, x, _ = example(8, 30, 20, 0.2, seed)
        y = product.forward(
            tf.constant(x), tf.constant(values), tf.constant(active)
        )
        np.testing.assert_allclose(y, x @ kernel, atol=1e-5)


@PRODUCTS
def test_what_is_not_finite_comes_through(module):
    active, values, _, x, dy = example(8, 30, 20, 0.2)
    x[3, active[0] // 20] = np.nan
    dy[5, active[-1] % 20] = np.inf
    arguments = map(tf.constant, (x, values, active, dy))
    product = module.Product(30, 20)

    y = product.forward(
        tf.constant(x), tf.constant(values), tf.constant(active)
    )
    dx, dvalues = product.backward(*arguments)

    assert np.isnan(y[3, active[0] % 20])
    assert np.all(np.isfinite(np.delete(y, 3, axis=0)))
    assert not np.isfinite(dx[5, active[-1] // 20])
    assert not np.isfinite(dvalues[0])
    assert not np.isfinite(dvalues[-1])


@PRODUCTS
def test_it_takes_batches_of_any_size_in_one_graph(module):
    active, values, kernel, _, _ = example(1, 30, 20, 0.2)
    product = module.Product(30, 20)

    @tf.function(input_signature=[tf.TensorSpec([None, 30])])
    def multiply(x):
        return product.forward(x, tf.constant(values), tf.constant(active))

    for num in (1, 31, 129, 0):
        x = np.ones((num, 30), "float32")
        np.testing.assert_allclose(multiply(x), x @ kernel, atol=1e-5)


def test_the_size_of_blocks_changes_no_bit(monkeypatch):
    active, values, _, x, dy = map(tf.constant, example(130, 90, 70, 0.5))
    results = []
    for connections in (1, 1000):
        for name in ("_PER_VISIT", "_PER_VISIT_BACKWARD"):
            monkeypatch.setattr(numba_csr_matmul, name, connections)
        product = numba_csr_matmul.Product(90, 70)
        y = product.forward(x, values, active)
        results.append([y, *product.backward(x, values, active, dy)])

    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)
