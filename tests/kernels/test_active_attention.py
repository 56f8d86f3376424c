"""Attention that stores its active connections, beside a plain one."""

import keras
import numpy as np
import pytest
from keras import layers as kl

import rigl_tf
from rigl_tf import kernels
from rigl_tf.algorithms import RigL
from rigl_tf.sparsity.structures import Blocks

NAMES = ["query", "key", "value", "attention_output"]


def trained(storage, structure=None, steps=40, eager=False, **kwargs):
    keras.utils.set_random_seed(0)
    inputs, other = keras.Input((5, 16)), keras.Input((7, 8))
    heads = kl.MultiHeadAttention(2, 8, value_dim=4, name="heads", **kwargs)
    x = heads(inputs, other)
    x = kl.Dense(3, name="last")(kl.GlobalAveragePooling1D()(x))
    model = rigl_tf.sparsify(
        keras.Model([inputs, other], x),
        RigL(),
        sparsity=0.7,
        schedule=rigl_tf.schedules.UpdateSchedule(9, end_step=100),
        structure=structure,
        storage=storage,
    )
    model.compile(keras.optimizers.Adam(0.01), "mse", run_eagerly=eager)
    fit(model, steps)
    return model


def fit(model, steps):
    model.fit(
        *examples(),
        batch_size=8,
        epochs=steps // 5,
        shuffle=False,
        verbose=0,
    )


def examples():
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(40, 5, 16)), rng.normal(size=(40, 7, 8))
    y = np.stack([one[:, 0, 0], two[:, 0, 0], two[:, 1, 0]], axis=1)
    return [one.astype("float32"), two.astype("float32")], y.astype("float32")


def assert_alike(model, other):
    for kernel, stored in zip(model.kernels, other.kernels, strict=True):
        assert kernel.name == stored.name
        np.testing.assert_array_equal(stored.mask, kernel.mask)
        np.testing.assert_allclose(
            stored.weights(), kernel.weights(), atol=1e-4
        )
    x, _ = examples()
    np.testing.assert_allclose(
        other.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-4
    )


@pytest.mark.few(1)
@pytest.mark.parametrize("structure", [None, Blocks(4, 2)], ids=str)
def test_it_trains_like_dense_kernels(structure):
    dense, active = (trained(how, structure) for how in ("dense", "active"))

    stored = [
        kernel.name
        for kernel in active.kernels
        if isinstance(kernel, kernels.StoredKernel)
    ]
    assert stored == [f"heads/{name}" for name in NAMES] + ["last"]
    assert int(active.num_updates) == 4
    assert_alike(dense, active)


def test_it_goes_on_after_loading(tmp_path):
    whole, half = (trained("active", steps=n, eager=True) for n in (20, 10))

    half.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    fit(loaded, 10)

    for one, other in zip(whole.variables, loaded.variables, strict=True):
        np.testing.assert_array_equal(one, other)


def test_some_of_its_layers_may_stay_dense(tmp_path):
    storage = {"value": "active", "*": "dense"}
    model = trained(storage, steps=10, eager=True, use_bias=False)

    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")

    kinds = [isinstance(k, kernels.StoredKernel) for k in loaded.kernels]
    assert kinds == [False, False, True, False, False]
    assert_alike(model, loaded)


@pytest.mark.few(1)
@pytest.mark.parametrize("use_bias", [True, False])
def test_it_becomes_plain_again(use_bias):
    model = trained("active", steps=10, eager=True, use_bias=use_bias)
    x, _ = examples()
    expected = model.predict(x, verbose=0)
    weights = [np.array(kernel.weights()) for kernel in model.kernels]

    plain = rigl_tf.densify(model)

    heads = plain.get_layer("heads")
    assert type(heads) is kl.MultiHeadAttention
    np.testing.assert_allclose(plain.predict(x, verbose=0), expected, atol=1e-5)
    np.testing.assert_array_equal(heads.query_dense.kernel, weights[0])
