"""Densify, then quantize: zeros stay zeros, and files compute the same."""

import keras
import numpy as np
import pytest
from keras import layers as kl

import rigl_tf

pytestmark = pytest.mark.filterwarnings("ignore:Layer .* does not have a `quan")
INT4 = keras.quantizers.Int4QuantizationConfig
CONFIGS = {
    "int8": None,
    "int4": None,
    "int4, groups of 8": INT4(block_size=8),
    "int4, no groups": INT4(block_size=-1),
}


def network():
    return keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            kl.Conv2D(8, 3, activation="relu"),
            kl.Flatten(),
            kl.Dense(31, activation="relu"),  # odd: int4 packs two in a byte
            kl.Reshape((1, 31)),
            kl.EinsumDense("abc,cd->abd", (1, 12), bias_axes="d"),
            kl.Flatten(),
            kl.Dense(10),
        ]
    )


def densified():
    keras.utils.set_random_seed(0)
    model = rigl_tf.sparsify(
        network(), rigl_tf.algorithms.Static(), sparsity=0.8
    )
    return rigl_tf.densify(model)


def kernels(model):
    return {
        layer.name: np.array(layer.kernel)
        for layer in model.layers
        if hasattr(layer, "kernel")
    }


def zero_codes(layer):
    """What stands for zero at each position of a quantized kernel."""
    if getattr(layer, "kernel_zero", None) is None:
        return 0
    return np.array(layer.kernel_zero)[np.array(layer.g_idx, int)]


@pytest.mark.few(1)
@pytest.mark.parametrize("name", CONFIGS)
def test_zeros_are_zeros_after_quantization(name):
    plain = densified()
    before = kernels(plain)

    plain.quantize(name[:4], config=CONFIGS[name])

    quantized = [each for each in plain.layers if hasattr(each, "kernel_scale")]
    assert len(quantized) == 3
    for layer in quantized:
        is_zero = np.array(layer.kernel) == zero_codes(layer)
        assert is_zero[before[layer.name] == 0].all()
        assert is_zero.mean() < 0.9  # few others are rounded to zero
    conv = plain.layers[0]
    np.testing.assert_array_equal(conv.kernel, before[conv.name])


@pytest.mark.few(1)
@pytest.mark.parametrize("name, gap", [("int8", 0.02), ("int4", 0.2)])
def test_outputs_are_near(name, gap):
    plain = densified()
    x = np.random.default_rng(0).normal(size=(50, 6, 6, 3)).astype("float32")
    before = np.array(plain(x))

    plain.quantize(name)

    after = np.array(plain(x))
    assert np.linalg.norm(after - before) < gap * np.linalg.norm(before)


@pytest.mark.few(1)
@pytest.mark.parametrize("mode", ["int8", "int4"])
@pytest.mark.parametrize("format", ["keras", "saved_model", "onnx", "compact"])
def test_quantized_models_are_exported(mode, format, tmp_path):
    plain = densified()
    plain.quantize(mode)

    exported = rigl_tf.export(plain, tmp_path / "model", format)

    assert exported.largest_difference < 1e-5
