"""LiteRT multiplies blocks as they are, and is told from what it gets wrong."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

import rigl_tf
from rigl_tf.deploy import litert
from rigl_tf.deploy.formats import FORMATS
from rigl_tf.sparsity import structures


@pytest.fixture
def policy():
    """Sets the dtype policy for one test."""
    before = keras.config.dtype_policy()
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy(before)


def dense(*units, inputs=64):
    return keras.Sequential(
        [keras.Input((inputs,)), *[kl.Dense(n, name=f"d{n}") for n in units]]
    )


def sparse(network, sparsity=0.95, unit=None):
    return rigl_tf.sparsify(
        network,
        rigl_tf.algorithms.Static(),
        sparsity=sparsity,
        distribution="uniform_all",
        structure=unit,
    )


def operations(path):
    """Names of the operations in a file, as the interpreter runs it."""
    interpreter = litert._interpreter(path)
    return [each["op_name"] for each in interpreter._get_ops_details()]


def test_blocks_of_four_inputs_are_multiplied_as_they_are(tmp_path):
    model = sparse(dense(32, 10), unit=structures.Blocks(4, 1))

    exported = rigl_tf.export(model, tmp_path / "model", "litert")

    assert operations(exported.path) == ["FULLY_CONNECTED"] * 2
    assert litert.count_sparse_kernels(exported.path) == (2, 2)
    assert exported.largest_difference < 1e-6
    for kernel in litert._sparse_tensors(exported.path):
        # Outputs by inputs; blocks are along the second.
        assert kernel["shape"][0] in (32, 10)
        assert list(kernel["sparsity_parameters"]["block_map"]) == [1]


@pytest.mark.few(1)
@pytest.mark.parametrize("unit", [None, structures.Blocks(1, 4)], ids=str)
def test_other_zeros_are_filled_in_when_the_file_is_loaded(unit, tmp_path):
    model = sparse(dense(32, 10), 0.8, unit)

    exported = rigl_tf.export(model, tmp_path / "model", "litert")

    assert operations(exported.path).count("DENSIFY") == 2
    assert litert.count_sparse_kernels(exported.path) == (2, 0)


@pytest.mark.slow
def test_kernels_with_few_zeros_are_stored_as_they_are(tmp_path):
    model = sparse(dense(32, 10), 0.2)

    exported = rigl_tf.export(model, tmp_path / "model", "litert")

    assert litert.count_sparse_kernels(exported.path) == (0, 0)


@pytest.mark.slow
def test_a_last_block_of_two_inputs_is_refused(tmp_path):
    model = sparse(dense(10, inputs=30), 0.5, structures.Blocks(4, 1))

    with pytest.raises(ValueError, match="with 30 inputs if.*multiple of 4"):
        rigl_tf.export(model, tmp_path / "model", "litert")

    assert list(tmp_path.iterdir()) == []


def test_onnx_has_the_same_advice_for_other_precisions(policy, tmp_path):
    policy("mixed_float16")

    advice = FORMATS["onnx"].advice(dense(32), tmp_path)

    assert advice.startswith("Layer 'd32' computes in float16. Build")


@pytest.mark.few(1)
@pytest.mark.parametrize("blocks", [True, False])
@pytest.mark.parametrize(
    "name", ["mixed_float16", "float16", "mixed_bfloat16", "bfloat16"]
)
def test_other_precisions_are_refused_and_can_be_changed(
    name, blocks, policy, tmp_path
):
    policy(name)
    unit = structures.Blocks(4, 1) if blocks else None
    plain = rigl_tf.densify(sparse(dense(32, 10), unit=unit))

    with pytest.raises(ValueError, match="'d32' computes in .*float16.*float3"):
        rigl_tf.export(plain, tmp_path / "model", "litert")

    policy("float32")
    single = dense(32, 10)
    single.set_weights(plain.get_weights())
    exported = rigl_tf.export(single, tmp_path / "model", "litert")
    x = np.ones((1, 64), "float32")
    np.testing.assert_allclose(
        litert.load(exported.path)([x])[0],
        tf.cast(plain(x), tf.float32),
        atol=0.05,
    )


@pytest.mark.few(1)
@pytest.mark.filterwarnings("ignore:Layer InputLayer does not have")
@pytest.mark.parametrize("mode", ["int8", "int4"])
def test_what_keras_has_quantized_is_refused(mode, tmp_path):
    # LiteRT leaves out the ReLU of a layer of int4.
    layer = kl.Dense(64, activation="relu", name="hidden")
    network = keras.Sequential([keras.Input((64,)), layer])
    plain = rigl_tf.densify(sparse(network, 0.5))
    plain.quantize(mode)

    with pytest.raises(ValueError, match=f"'hidden' is quantized .* to {mode}"):
        rigl_tf.export(plain, tmp_path / "model", "litert")

    assert list(tmp_path.iterdir()) == []


def test_errors_of_another_cause_are_left_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(tf.lite.TFLiteConverter, "from_saved_model", Broken)

    with pytest.raises(RuntimeError, match="no such operation"):
        rigl_tf.export(dense(10), tmp_path / "model", "litert")


class Broken:
    """A converter that fails."""

    def __init__(self, directory):
        del directory

    def convert(self):
        raise RuntimeError("no such operation")
