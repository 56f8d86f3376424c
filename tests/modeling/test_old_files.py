"""Files that version 0.1 has written."""

import json
import pathlib
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest

import rigl_tf

FILES = pathlib.Path(__file__).parent.parent / "files"

pytestmark = pytest.mark.skipif(
    keras.__version__ < "3.15", reason="the files are of Keras 3.15"
)


@pytest.mark.few(1)
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


SAVED = ["active", "condensed", "dense", "scores"]
# Bases of other classes, and an optimizer that is not saved by itself.
NOT_SAVED = {
    "Algorithm",
    "GroupedSparsity",
    "Rule",
    "SparseOptimizer",
    "Structure",
}

# A process of its own: nothing but `import rigl_tf` registers the classes.
LOADS = """
import json, pathlib, sys
import keras, numpy as np
import rigl_tf

def without_module(config):
    if isinstance(config, dict):
        config = {k: without_module(v) for k, v in config.items()}
        config.pop("module", None)
        if str(config.get("registered_name")).startswith("rigl_tf>"):
            config.pop("class_name", None)  # a class may be renamed
    return config

folder = pathlib.Path(sys.argv[1])
rng = np.random.default_rng(0)
x = [
    rng.normal(size=(4, *shape)).astype("float32")
    for shape in ((2, 2, 2, 4), (4, 4, 4), (4, 4), (4,))
]
for config in json.loads((folder / "registered.json").read_text()).values():
    loaded = keras.saving.deserialize_keras_object(config)
    saved = json.dumps(keras.saving.serialize_keras_object(loaded))
    again = json.loads(saved, object_hook=without_module)
    assert again == without_module(config), (again, config)
for name in sys.argv[2:]:
    model = keras.saving.load_model(folder / f"registered_{name}.keras")
    inputs = x if len(model.inputs) > 1 else x[3]
    expected = np.load(folder / f"registered_{name}.npy")
    np.testing.assert_allclose(
        model.predict(inputs, verbose=0), expected, atol=1e-6
    )
    if name in ("active", "dense"):
        model.fit(x, np.arange(4) % 3, batch_size=2, verbose=0)
print(*(k for k in keras.saving.get_custom_objects() if k[:8] == "rigl_tf>"))
"""


@pytest.mark.slow
def test_every_registered_class_is_in_a_file_that_loads():
    process = subprocess.run(
        [sys.executable, "-c", LOADS, FILES, *SAVED],
        capture_output=True,
        text=True,
    )

    assert process.returncode == 0, process.stderr[-2000:]
    texts = [(FILES / "registered.json").read_text()]
    for name in SAVED:
        with zipfile.ZipFile(FILES / f"registered_{name}.keras") as file:
            texts.append(file.read("config.json").decode())
    registered = {
        name.removeprefix("rigl_tf>") for name in process.stdout.split()
    }
    missing = {
        name
        for name in registered
        if not any(json.dumps(f"rigl_tf>{name}") in text for text in texts)
    }
    assert missing == NOT_SAVED
