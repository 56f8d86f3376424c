"""Products with stored blocks against products of matrices."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

import rigl_tf
from rigl_tf import algorithms
from rigl_tf.kernels import index_sets
from rigl_tf.kernels.ops import block_matmul
from rigl_tf.kernels.ops import dispatch
from rigl_tf.kernels.ops import numba_block_matmul
from rigl_tf.sparsity.structures import Blocks

PRODUCTS = pytest.mark.parametrize(
    "module", [block_matmul, numba_block_matmul], ids=["tensorflow", "numba"]
)


def example(product, num, inputs, outputs, block, room, seed=0):
    """Half of the blocks of a kernel, that kernel, and what passes it."""
    rng = np.random.default_rng(seed)
    down, across = -(-inputs // block[0]), -(-outputs // block[1])
    count = max(down * across // 2, 1)
    blocks = np.sort(rng.permutation(down * across)[:count]).astype("int32")
    active = index_sets.padded(tf.constant(blocks), count + room)
    values = rng.normal(size=(count + room, *block)).astype("float32")
    values[count:] = 0
    values = product.inside(values, active).numpy()
    grid = np.zeros((down * across, *block), "float32")
    grid[blocks] = values[:count]
    grid = grid.reshape(down, across, *block)
    x = rng.normal(size=(num, inputs)).astype("float32")
    dy = rng.normal(size=(num, outputs)).astype("float32")
    return active, values, product.joined(grid).numpy(), x, dy


@pytest.mark.few(1)
@PRODUCTS
@pytest.mark.parametrize(
    ("num", "inputs", "outputs", "block"),
    [
        (1, 48, 32, (8, 16)),
        (7, 50, 37, (8, 16)),  # blocks that reach beyond the kernel
        (0, 16, 16, (8, 16)),
        (1100, 20, 40, (8, 16)),  # more examples than are taken at a time
        (9, 72, 48, (24, 8)),
    ],
)
@pytest.mark.parametrize("room", [0, 3])
def test_it_multiplies_like_the_dense_kernel(
    module, num, inputs, outputs, block, room
):
    product = module.Product(inputs, outputs, *block)
    active, values, kernel, x, dy = example(
        product, num, inputs, outputs, block, room
    )

    y = product.forward(tf.constant(x), values, active)
    dx, dvalues = product.backward(
        tf.constant(x), values, active, tf.constant(dy)
    )

    np.testing.assert_allclose(y, x @ kernel, atol=1e-4)
    np.testing.assert_allclose(dx, dy @ kernel.T, atol=1e-4)
    count = len(active) - room
    padded = np.pad(
        x.T @ dy, [(0, -inputs % block[0]), (0, -outputs % block[1])]
    )
    down, across = (n // side for n, side in zip(padded.shape, block))
    gradient = padded.reshape(down, block[0], across, block[1])
    gradient = gradient.transpose(0, 2, 1, 3).reshape(-1, *block)
    np.testing.assert_allclose(
        dvalues[:count], gradient[active.numpy()[:count]], atol=1e-3
    )
    assert not np.any(dvalues[count:])


@pytest.mark.few(1)
@PRODUCTS
def test_it_notices_that_blocks_have_moved(module):
    product = module.Product(32, 32, 8, 16)

    for seed in range(3):
        active, values, kernel, x, _ = example(
            product, 4, 32, 32, (8, 16), 0, seed
        )
        y = product.forward(tf.constant(x), values, active)
        np.testing.assert_allclose(y, x @ kernel, atol=1e-4)


@pytest.mark.few(1)
@PRODUCTS
def test_what_is_not_finite_comes_through(module):
    product = module.Product(32, 32, 8, 16)
    active, values, kernel, x, dy = example(product, 9, 32, 32, (8, 16), 0)
    row, column = divmod(int(active[0]), 2)
    x[3, row * 8] = np.nan
    dy[5, column * 16] = np.inf

    y = product.forward(tf.constant(x), values, active)
    dx, dvalues = product.backward(
        tf.constant(x), values, active, tf.constant(dy)
    )

    assert np.isnan(y[3]).any()
    assert np.isfinite(y[:3]).all()
    assert not np.isfinite(dx[5]).all()
    assert not np.isfinite(dvalues[0]).all()


def test_numba_multiplies_blocks_whose_sides_fill_registers():
    assert isinstance(
        dispatch.product(64, 64, (16, 8)), numba_block_matmul.Product
    )
    for block in ((4, 8), (8, 4), (1, 4), (12, 16)):
        chosen = dispatch.product(64, 64, block)
        assert type(chosen) is block_matmul.Product


def test_accelerators_multiply_blocks_in_tensorflow(monkeypatch):
    kinds = [types.SimpleNamespace(device_type=kind) for kind in ("CPU", "GPU")]
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda: kinds)

    chosen = dispatch.product(64, 64, (16, 16))

    assert type(chosen) is block_matmul.Product


@pytest.mark.few(1)
@pytest.mark.parametrize("wanted", ["auto", True])
def test_keras_leaves_xla_out_where_numba_multiplies_unless_told(wanted):
    network = keras.Sequential(
        [keras.Input((32,)), keras.layers.Dense(32, name="layer")]
    )
    model = rigl_tf.sparsify(
        network,
        algorithms.Static(),
        sparsity=0.5,
        structure=Blocks(8, 16),
        storage="active",
    )
    x, y = np.ones((8, 32), "float32"), np.zeros((8, 32), "float32")
    (kernel,) = model.kernels
    before = kernel.weights().numpy()

    model.compile(keras.optimizers.SGD(0.0), "mse", jit_compile=wanted)
    (loss,) = model.fit(x, y, verbose=0).history["loss"]

    assert model.jit_compile is (wanted is True)
    np.testing.assert_allclose(loss, np.mean((x @ before) ** 2), rtol=1e-5)
    np.testing.assert_array_equal(kernel.weights(), before)
