"""Tests of zip files without room for zeros."""

import zipfile

import keras
import numpy as np
import pytest

import rigl_tf
from rigl_tf.utils import archives


def test_the_members_are_the_same_and_a_link_stays(tmp_path):
    path, link = tmp_path / "real.zip", tmp_path / "link.zip"
    members = {"zeros": bytes(10_000), "assets/text": b"some text"}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    link.symlink_to(path)

    archives.compress(link)

    assert link.is_symlink() and path.stat().st_size < 500
    with zipfile.ZipFile(path) as archive:
        assert {n: archive.read(n) for n in archive.namelist()} == members


@pytest.mark.parametrize("kind", ["sparse model", "model by a callback"])
def test_the_file_of_a_sparse_model_has_the_size_of_its_weights(kind, tmp_path):
    network = keras.Sequential(
        [keras.Input((200,)), keras.layers.Dense(500, use_bias=False)]
    )
    if kind == "sparse model":
        model = rigl_tf.sparsify(network, "static", sparsity=0.95)
        save, bits = model.save, 100_000 // 8
    else:
        network.compile("sgd", "mse")
        x, y = np.ones((4, 200)), np.ones((4, 500))
        training = rigl_tf.SparseTraining("static", sparsity=0.95)
        network.fit(x, y, verbose=0, callbacks=[training])
        model = network
        save, bits = lambda path: rigl_tf.export(model, path), 0
    path = tmp_path / "model.keras"

    save(path)

    values = 4 * 5_000
    assert values < path.stat().st_size < 1.6 * (values + bits) + 20_000
    loaded = keras.saving.load_model(path)
    for one, two in zip(loaded.weights, model.weights, strict=False):
        np.testing.assert_array_equal(one, two)
