"""The README and the guides on deployment and training are true."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import rigl_tf
from rigl_tf.deploy import litert
from rigl_tf.modeling import sparse_wrapper
from rigl_tf.utils import tensors
from tests import pages

README = pages.ROOT / "README.md"
DEPLOY = pages.ROOT / "docs" / "deploy.md"
METHODS = pages.ROOT / "docs" / "methods.md"
LOOPS = pages.ROOT / "docs" / "training_loops.md"


def block(number, page=README):
    """The names that a block of Python makes."""
    return pages.run(page, number)


def test_the_quick_start_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = block(0)

    assert (tmp_path / "sparse.keras").exists()
    assert names["plain"].count_params() == names["keras_model"].count_params()


@pytest.mark.slow
def test_plain_fit_makes_a_model_sparse_in_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = block(1)

    assert rigl_tf.summary(names["keras_model"]).sparsity == pytest.approx(
        0.9, abs=1e-4
    )
    kernels = [w for w in names["keras_model"].weights if w.name == "kernel"]
    zeros = sum(np.count_nonzero(np.array(w) == 0) for w in kernels)
    assert zeros / (64 * 300 + 300 * 10) == pytest.approx(0.9, abs=1e-3)


@pytest.mark.slow
def test_a_ticket_is_found():
    names = block(0, METHODS)

    assert 0.03 < names["ticket"].density <= 0.05
    assert names["ticket"].history["val_accuracy"][-1] > 0.7
    masks = [kernel.mask for kernel in names["model"].kernels]
    for mask, expected in zip(
        masks, names["ticket"].masks.values(), strict=True
    ):
        np.testing.assert_array_equal(mask, expected)


@pytest.mark.slow
def test_blocks_are_exported_to_be_multiplied_as_they_are(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    names = block(0, DEPLOY)

    assert litert.count_sparse_kernels(names["exported"].path) == (2, 2)
    assert names["ratio"] > 1.5


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize`")
def test_quantized_kernels_have_their_zeros(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = block(1, DEPLOY)

    layers = [each for each in names["plain"].layers if each.weights]
    for layer, kernel in zip(layers, names["model"].kernels, strict=True):
        stored = np.array(layer.kernel)
        assert stored.dtype == "int8"
        assert not stored[~np.array(kernel.mask)].any()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
def test_outputs_of_litert_are_taken_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = block(2, DEPLOY)

    assert set(names["exported"].outputs) == {"value", "advantage"}
    expected = names["model"](np.ones((1, 8)))["value"]
    np.testing.assert_allclose(names["value"], expected, atol=1e-5)


# Where the block has the model, and its sparsity.
MODELS = {
    "`fit`": ("model", 0.9),
    "own `train_step`": ("model", 0.9),
    "`GradientTape`": ("model", 0.9),
    "`tf.function`": ("model", 0.9),
    "`Distiller`": ("student", 0.9),
    "KerasHub": ("classifier", 0.8),
    "callback": ("model", 0.9),
    "sparse epochs": ("model", 0.9),
}


# From KerasHub, which passes on a data set and has its own `compile`.
@pytest.mark.few(1)
@pytest.mark.filterwarnings("ignore:`shuffle=True` was passed")
@pytest.mark.filterwarnings("ignore:`compile.*` was not called as part of")
@pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer")
@pytest.mark.parametrize("title", MODELS)
def test_every_way_of_training_trains_a_sparse_model(
    title, tmp_path, monkeypatch
):
    if title == "KerasHub":
        pytest.importorskip("keras_hub")
    monkeypatch.chdir(tmp_path)
    name, sparsity = MODELS[title]

    names = block(list(MODELS).index(title), LOOPS)

    model = names[name]
    step = getattr(names.get("training", model), "sparse_step", None)
    assert abs(rigl_tf.summary(model).sparsity - sparsity) < 0.005
    assert tensors.as_int(step.num_updates) >= 3
    assert tensors.as_int(step.num_changed) > 0 or title == "sparse epochs"
    for kernel in step.kernels:
        weights, mask = np.array(kernel.variable), np.array(kernel.mask)
        assert not weights[~mask].any()
    for path in tmp_path.glob("*.keras"):
        loaded = keras.saving.load_model(path)
        assert type(loaded) is type(model)


def test_every_way_of_training_has_a_block():
    sections = re.split(r"^## ", LOOPS.read_text(), flags=re.M)[1:]

    assert len(sections) == len(MODELS)
    for title, section in zip(MODELS, sections, strict=True):
        assert title in section.splitlines()[0]
        assert section.count("```python\n") == 1


def test_the_table_of_names_lists_every_public_name():
    page = (pages.ROOT / "docs" / "architecture.md").read_text()
    listed = set(re.findall(r"^\| `rigl_tf\.(\w+)`", page, re.M))

    assert listed == set(rigl_tf.__all__)


# Ways to train one network with one optimizer.
ALIKE = ["`fit`", "own `train_step`", "`GradientTape`", "`tf.function`"]


@pytest.fixture
def same_batches(monkeypatch):
    """No shuffling, no noise, and operations one by one, rounded alike."""
    original = keras.Model.fit

    def fit(self, *args, **kwargs):
        return original(self, *args, **kwargs | {"shuffle": False})

    monkeypatch.setattr(keras.Model, "fit", fit)
    monkeypatch.setattr(tf.random, "normal", tf.zeros)
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.slow
@pytest.mark.usefixtures("same_batches")
@pytest.mark.filterwarnings("ignore:Even though the `tf.config")
def test_ways_of_training_end_with_the_same_masks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = {}
    for title in [*ALIKE, "callback"]:
        keras.utils.set_random_seed(0)
        model = block(list(MODELS).index(title), LOOPS)["model"]
        kernels = sparse_wrapper.sparse_kernels(model)
        found[title] = [np.array(kernel.mask) for kernel in kernels]

    for masks in found.values():
        for mask, expected in zip(masks, found["`fit`"], strict=True):
            np.testing.assert_array_equal(mask, expected)
