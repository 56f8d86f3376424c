"""Files that version 0.1 has written."""

import pathlib

import keras
import numpy as np
import pytest

import rigl_tf

FILES = pathlib.Path(__file__).parent.parent / "files"


@pytest.mark.parametrize("storage", ["dense", "active"])
def test_a_file_of_version_0_1_loads_and_trains_on(storage):
    expected = np.load(FILES / "version_0_1.npz")
    x = expected["x"]

    model = keras.saving.load_model(FILES / f"version_0_1_{storage}.keras")

    np.testing.assert_allclose(
        model.predict(x, verbose=0), expected[storage], atol=1e-6
    )
    for kernel in model.kernels:
        np.testing.assert_array_equal(
            kernel.mask, expected[f"{storage}/{kernel.name}"]
        )
    assert int(model.step) == 4
    model.fit(x, np.arange(8) % 3, batch_size=2, verbose=0)
    assert [int(k.count()) for k in model.kernels] == model.budgets
    assert not rigl_tf.sparse_layers(rigl_tf.densify(model))
