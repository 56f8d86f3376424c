"""Layers that list the inputs of their neurons compute what they did."""

import contextlib
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

import rigl_tf
from rigl_tf.deploy import condensing
from rigl_tf.sparsity import structures


def sparse(**kwargs):
    x = keras.Input((5, 40))
    y = kl.Dense(12, activation="relu", name="hidden")(x)
    y = kl.Dense(30, use_bias=False, name="wide")(y)
    model = keras.Model(x, kl.Dense(3, name="logits")(y))
    kwargs.setdefault("sparsity", 0.9)
    return rigl_tf.sparsify(
        model,
        rigl_tf.algorithms.Static(),
        distribution="uniform_all",
        structure=structures.ConstantFanIn(),
        exclude=["logits"],
        **kwargs,
    )


@pytest.fixture(params=["numba", "tensorflow"])
def compiler(request, monkeypatch):
    if request.param == "tensorflow":
        name = "rigl_tf.deploy.condensing.numba_matmul"
        monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.delattr(condensing, "numba_matmul", raising=False)
    else:
        pytest.importorskip("numba")


def test_inputs_are_listed_by_neuron(compiler):
    layer = condensing.Condensed(3, 2, use_bias=False)
    layer.build((None, 4))
    values = np.array([[1, 2], [3, 4], [5, 0]], "float32")
    layer.set_weights([values, np.array([[0, 3], [1, 2], [3, 0]])])

    y = layer(np.array([[1.0, 10, 100, 1000]], "float32"))

    np.testing.assert_array_equal(y, [[1 + 2000, 30 + 400, 5000]])


@pytest.mark.few(1)
@pytest.mark.parametrize("num", [1, 7])
def test_the_model_computes_the_same(num, compiler, tmp_path):
    model = sparse()
    x = np.random.default_rng(0).normal(size=(num, 5, 40)).astype("float32")

    condensed = condensing.condense(model)
    condensed.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")

    expected = model.predict(x, verbose=0)
    assert [type(layer).__name__ for layer in condensed.layers] == [
        "InputLayer", "Condensed", "Condensed", "Dense",
    ]  # fmt: skip
    assert condensed.get_layer("hidden").fan_in == 4
    for each in (condensed, loaded):
        np.testing.assert_allclose(
            each.predict(x, verbose=0), expected, atol=1e-5
        )


def test_neurons_with_fewer_inputs_are_filled_up():
    model = keras.Sequential([keras.Input((8,)), kl.Dense(3)])
    kernel = np.zeros((8, 3))
    kernel[[2, 5], 0] = [1, 2]
    kernel[7, 1] = 3
    model.set_weights([kernel, np.array([0.5, 1.5, 2.5])])

    layer = condensing.condense(model).layers[-1]

    values, bias, places = layer.get_weights()
    assert values.tolist() == [[1, 2], [3, 0], [0, 0]]
    assert places[0].tolist() == [2, 5] and places[1, 0] == 7
    assert bias.tolist() == [0.5, 1.5, 2.5]


def test_a_number_of_no_input_reads_nothing_else():
    pytest.importorskip("numba")
    layer = condensing.Condensed(1, 2, use_bias=False)
    layer.build((None, 2))
    layer.set_weights([np.ones((1, 2)), np.array([[-1, 2**31 - 1]])])

    assert layer(tf.constant([[4.0, 8.0]])).numpy() == [[8.0]]


def test_gradients_are_refused(compiler):
    condensed = condensing.condense(sparse())

    with tf.GradientTape() as tape:
        y = condensed(np.ones((1, 5, 40), "float32"))
    with pytest.raises(NotImplementedError, match="do not train"):
        tape.gradient(y, condensed.get_layer("hidden").values)


def test_a_model_without_sparse_neurons_is_refused():
    with pytest.raises(ValueError, match="no Dense layer .* 25%"):
        condensing.condense(sparse(sparsity=0.5))


def test_statistics_are_kept():
    x = np.random.default_rng(0).normal(50, 10, (16, 8)).astype("float32")
    layer = kl.Normalization()
    layer.adapt(x)
    model = keras.Sequential([keras.Input((8,)), layer, kl.Dense(3)])
    model.layers[-1].kernel.assign(np.eye(8, 3))

    condensed = condensing.condense(model, samples=x)

    np.testing.assert_allclose(condensed(x), model(x), atol=1e-5)


def test_padding_stays_masked():
    x = keras.Input((6,), dtype="int32")
    y = kl.Embedding(5, 16, mask_zero=True)(x)
    y = kl.Dense(4, name="hidden")(y)
    model = keras.Model(x, kl.Dense(2)(kl.GlobalAveragePooling1D()(y)))
    model.get_layer("hidden").kernel.assign(np.eye(16, 4))
    padded = np.array([[1, 2, 0, 0, 0, 0], [3, 0, 0, 0, 0, 0]])

    condensed = condensing.condense(model, samples=padded)

    np.testing.assert_allclose(condensed(padded), model(padded), atol=1e-5)


def half(model):
    model.layers[0].dtype_policy = keras.DTypePolicy("mixed_float16")


def quantized(model):
    model.layers[0].quantize("int8")


def adapted(model):
    model.layers[0].enable_lora(2)


@pytest.mark.parametrize("change", [half, quantized, adapted])
def test_layers_that_do_more_than_a_float32_product_stay(change):
    model = keras.Sequential([keras.Input((16,)), kl.Dense(16), kl.Dense(4)])
    for layer in model.layers:
        layer.kernel.assign(np.eye(16, layer.units))
    change(model)
    keras.config.set_dtype_policy("mixed_float16")

    condensed = condensing.condense(model)

    assert [type(layer) for layer in condensed.layers] == [
        kl.Dense, condensing.Condensed,
    ]  # fmt: skip


def test_what_differs_from_the_model_that_was_passed_in_is_refused(monkeypatch):
    model = keras.Sequential([keras.Input((8,)), kl.Dense(3)])
    copy = keras.models.clone_model(model)
    copy.layers[-1].kernel.assign(np.eye(8, 3))
    monkeypatch.setattr(
        sys.modules["rigl_tf.deploy.condensing.condense_model"],
        "densified",
        lambda model: contextlib.nullcontext(copy),
    )

    with pytest.raises(ValueError, match="cannot be condensed"):
        condensing.condense(model)


def test_a_subclassed_model_is_refused():
    class Mine(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(TypeError, match="subclassed"):
        condensing.condense(Mine())
