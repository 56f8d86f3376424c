"""What is exported computes what the model does, or is not there."""

import dataclasses
import os
import pathlib
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

import rigl_tf
from rigl_tf import deploy
from rigl_tf.analysis import equivalence
from rigl_tf.deploy.formats import FORMATS
from tests.networks import NETWORKS


def sparse(network, sparsity=0.8, **kwargs):
    return rigl_tf.sparsify(
        network, rigl_tf.algorithms.Static(), sparsity=sparsity, **kwargs
    )


@pytest.mark.few(1)
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", ["functional", "convolutional", "attention"])
def test_the_file_computes_what_the_model_does(name, format, tmp_path):
    model = sparse(NETWORKS[name]())
    x = np.random.default_rng(1).normal(size=(3, 16)).astype("float32")

    exported = rigl_tf.export(model, tmp_path / "model", format)

    (y,) = FORMATS[format].load(exported.path)([x])
    np.testing.assert_allclose(y, model.predict(x, verbose=0), atol=1e-5)
    assert exported.largest_difference < 1e-5
    assert exported.path.name == "model" + FORMATS[format].suffix
    assert list(tmp_path.iterdir()) == [exported.path]


def test_many_models_are_run_without_a_warning_of_traces(caplog):
    tf.get_logger().addHandler(caplog.handler)
    try:
        for _ in range(6):
            network = keras.Sequential([keras.Input((2,)), kl.Dense(2)])
            equivalence.runner(network)([np.ones((1, 2))])
    finally:
        tf.get_logger().removeHandler(caplog.handler)

    assert "retracing" not in caplog.text


@pytest.mark.slow
def test_it_says_what_the_file_is_worth(tmp_path):
    network = keras.Sequential([keras.Input((300,)), kl.Dense(400)])
    model = sparse(network, 0.9)

    by_format = {
        format: rigl_tf.export(model, tmp_path / "model", format)
        for format in FORMATS
    }

    of_kernel = 4 * 300 * 400
    for format, exported in by_format.items():
        assert exported.sparsity == pytest.approx(0.9)
        small = format in ("keras", "litert", "compact")
        assert (exported.num_bytes < of_kernel / 4) == small
        assert exported.num_bytes_dense > of_kernel
        assert exported.num_bytes_compressed < exported.num_bytes_dense / 4
        assert 0 < exported.milliseconds < 1000
    table = deploy.table(list(by_format.values())).splitlines()
    assert [row.split()[1] for row in table[2:]] == list(FORMATS)


def test_stored_connections_are_exported_too(tmp_path):
    network = keras.Sequential([keras.Input((16,)), kl.Dense(12)])
    model = sparse(network, storage="active")
    x = np.ones((2, 16))

    rigl_tf.export(model, tmp_path / "model.keras")

    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.layers[-1]) is kl.Dense
    np.testing.assert_allclose(
        loaded.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-5
    )


def test_several_inputs_and_outputs_are_compared(tmp_path):
    one, two = keras.Input((4,), name="one"), keras.Input((4,), name="two")
    sum_ = kl.Dense(3)(kl.Add()([one, two]))
    product = kl.Dense(2)(kl.Multiply()([one, two]))
    model = sparse(keras.Model([one, two], [sum_, product]), 0.5)

    exported = rigl_tf.export(model, tmp_path / "model", "compact")

    assert exported.largest_difference == 0


@pytest.mark.few(1)
@pytest.mark.parametrize("problem", ["other numbers", "no numbers"])
def test_a_file_that_computes_something_else_is_not_kept(
    problem, tmp_path, monkeypatch
):
    def write(model, path):
        model.layers[-1].kernel.assign_add(
            np.full((16, 2), np.nan if problem == "no numbers" else 0.01)
        )
        model.save(path)

    broken = dataclasses.replace(FORMATS["keras"], write=write)
    monkeypatch.setitem(FORMATS, "keras", broken)
    network = keras.Sequential([keras.Input((16,)), kl.Dense(2)])

    with pytest.raises(ValueError, match="has other outputs"):
        rigl_tf.export(sparse(network), tmp_path / "model")

    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_run_is_not_kept(tmp_path, monkeypatch):
    def load(path):
        raise RuntimeError("no such operator\nand its trace")

    broken = dataclasses.replace(FORMATS["keras"], load=load)
    monkeypatch.setitem(FORMATS, "keras", broken)

    with pytest.raises(ValueError, match="RuntimeError: no such operator Noth"):
        rigl_tf.export(NETWORKS["functional"](), tmp_path / "model")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "path, format, meant",
    [
        ("model.tflite", "keras", "litert"),
        ("model.onnx", "litert", "onnx"),
        ("model.keras", "saved_model", "keras"),
        ("model", "TFLite", "litert"),
    ],
)
def test_a_suffix_of_another_format_is_refused(path, format, meant, tmp_path):
    network = keras.Sequential([keras.Input((16,)), kl.Dense(2)])

    with pytest.raises(ValueError, match=f"Pass `format='{meant}'`.*{format}"):
        rigl_tf.export(network, tmp_path / path, format)

    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_over(tmp_path):
    network = keras.Sequential([keras.Input((16,)), kl.Dense(2)])
    (tmp_path / "model.keras").write_text("mine")

    with pytest.raises(FileExistsError, match="model.keras already.*--over"):
        rigl_tf.export(sparse(network), tmp_path / "model")

    assert (tmp_path / "model.keras").read_text() == "mine"


@pytest.mark.parametrize("format", ["keras", "saved_model"])
def test_a_file_is_replaced_if_that_is_asked_for(format, tmp_path):
    network = keras.Sequential([keras.Input((4,)), kl.Dense(2)])
    path = rigl_tf.export(network, tmp_path / "model", format).path
    network.layers[0].bias.assign([1.0, 2.0])

    rigl_tf.export(network, tmp_path / "model", format, overwrite=True)

    (y,) = FORMATS[format].load(path)([np.zeros((1, 4))])
    np.testing.assert_array_equal(y, [[1.0, 2.0]])
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("is_link", [False, True])
def test_a_directory_takes_the_place_of_a_file_or_link(is_link, tmp_path):
    network = keras.Sequential([keras.Input((4,)), kl.Dense(2)])
    path = tmp_path / "latest"
    if is_link:
        before = rigl_tf.export(network, tmp_path / "v1", "saved_model").path
        path.symlink_to(before)
    else:
        path.write_text("mine")

    rigl_tf.export(network, path, "saved_model", overwrite=True)

    assert (path / "saved_model.pb").is_file() and not path.is_symlink()
    if is_link:
        assert (before / "saved_model.pb").is_file()


def test_the_old_model_stays_if_it_cannot_be_replaced(tmp_path, monkeypatch):
    network = keras.Sequential([keras.Input((4,)), kl.Dense(2)])
    path = rigl_tf.export(network, tmp_path / "model", "saved_model").path
    network.layers[0].bias.assign([1.0, 2.0])
    replace = os.replace

    def fail_for_models(source, target):
        if pathlib.Path(source).name.startswith("model"):
            raise PermissionError(source)
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail_for_models)

    with pytest.raises(PermissionError):
        rigl_tf.export(network, path, "saved_model", overwrite=True)

    (y,) = FORMATS["saved_model"].load(path)([np.zeros((1, 4))])
    np.testing.assert_array_equal(y, [[0.0, 0.0]])


def test_only_a_saved_model_is_a_directory_to_replace(tmp_path):
    network = keras.Sequential([keras.Input((4,)), kl.Dense(2)])
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "notes.txt").write_text("mine")

    with pytest.raises(FileExistsError, match="not a SavedModel"):
        rigl_tf.export(
            network, tmp_path / "model", "saved_model", overwrite=True
        )

    assert (tmp_path / "model" / "notes.txt").read_text() == "mine"


def test_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(ValueError, match="format.*onyx"):
        rigl_tf.export(NETWORKS["functional"](), tmp_path / "model", "onyx")


def test_what_has_to_be_installed_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "zstandard", None)

    with pytest.raises(ImportError, match="install 'rigl-tf.export.'"):
        rigl_tf.export(NETWORKS["functional"](), tmp_path / "model", "compact")


def test_open_shapes_need_samples(tmp_path):
    inputs = keras.Input((None, 8))
    model = keras.Model(inputs, kl.Dense(3)(inputs))

    with pytest.raises(ValueError, match="Pass examples as `samples`"):
        rigl_tf.export(model, tmp_path / "model")

    rigl_tf.export(model, tmp_path / "model", samples=np.ones((2, 5, 8)))
    assert (tmp_path / "model.keras").exists()
