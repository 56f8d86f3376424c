"""Files that would do harm: nothing of them may run.

Each would create a file, the canary, in the current directory.
"""

import contextlib
import functools
import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile

import h5py
import keras
import numpy as np

import rigl_tf
from rigl_tf.callbacks import checkpoint_files
from tests.faults import harness

CANARY = "canary"
HARM = f"touch {CANARY}"


def run(directory, reason, code, *args):
    """Runs Python that must fail for a reason and leave no canary."""
    done = subprocess.run(
        [sys.executable, "-c", code, *args],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=300,
        env={
            **os.environ,
            "PYTHONPATH": str(harness.ROOT),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        },
    )
    assert not list(directory.rglob(CANARY)), "It ran."
    assert done.returncode not in (0, -9, -11), done.stderr[-2000:]
    assert reason in done.stderr, done.stderr[-2000:]


LOAD = "import sys, keras, rigl_tf; keras.saving.load_model('evil.keras')"


def sparse():
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    return rigl_tf.sparsify(network, rigl_tf.algorithms.SET(), sparsity=0.5)


def evil_file(directory, change, reason):
    """Loads a sparse model whose configuration somebody has changed."""
    good = directory / "good.keras"
    sparse().save(good)
    with zipfile.ZipFile(good) as source:
        parts = {name: source.read(name) for name in source.namelist()}
    config = json.loads(parts["config.json"])
    change(config)
    parts["config.json"] = json.dumps(config).encode()
    good.unlink()
    with zipfile.ZipFile(directory / "evil.keras", "w") as target:
        for name, data in parts.items():
            target.writestr(name, data)
    run(directory, reason, LOAD)


def function(module, name):
    """What a file says where it wants a function."""
    return {
        "module": module,
        "class_name": "function",
        "config": name,
        "registered_name": name,
    }


def use_function(key, module, name, config):
    config["config"][key] = function(module, name)


def use_class(key, module, name, config):
    config["config"][key] = {
        "module": module,
        "class_name": name,
        "config": {"args": HARM, "shell": True},
        "registered_name": None,
    }


def use_lambda(config):
    """Puts in a Lambda layer, whose config is Python bytecode."""
    layer = keras.layers.Lambda(
        lambda x: __import__("os").system("touch canary") or x
    )
    # Building the model runs the function, here where it leaves no trace.
    with tempfile.TemporaryDirectory() as elsewhere:
        with contextlib.chdir(elsewhere):
            source = keras.Sequential([keras.Input((4,)), layer])
    config["config"]["network"] = keras.saving.serialize_keras_object(source)


def external_weights(directory):
    """Weights that are a link to a file elsewhere."""
    sparse().save_weights(directory / "evil.weights.h5")
    secret = directory / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["data"] = np.ones((4, 2), np.float32)
    with h5py.File(directory / "evil.weights.h5", "r+") as file:
        names = []
        file.visit(names.append)
        name = next(n for n in names if getattr(file[n], "shape", 0) == (4, 2))
        del file[name]
        file[name] = h5py.ExternalLink(str(secret), "data")
    run(
        directory,
        "Not allowed: H5 file with ExternalLink",
        "import sys, keras, rigl_tf\n"
        "n = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])\n"
        "m = rigl_tf.sparsify(n, rigl_tf.algorithms.SET(), sparsity=0.5)\n"
        "m.load_weights('evil.weights.h5')\n",
    )


def checkpoint(directory, damage):
    """A checkpoint whose facts were written to do harm, hashes and all."""
    place = directory / "checkpoints"
    model = sparse()
    model.compile("sgd", "mse")
    with rigl_tf.Checkpoint(place, every=1) as callback:
        model.fit(
            np.ones((4, 4)),
            np.ones((4, 2)),
            epochs=1,
            verbose=0,
            callbacks=[callback],
        )
    for path in checkpoint_files.paths(place):
        damage(path)
    try:
        rigl_tf.Checkpoint(place).restore(model)
    except ValueError as error:
        assert "No checkpoint can be used" in str(error)
        return
    raise AssertionError("Nothing was noticed.")


def rewrite(path, change):
    facts = checkpoint_files.read_facts(path)
    change(facts)
    (path / "facts.json").write_text(json.dumps(facts))
    hash_anew(path)


def hash_anew(path):
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["sha256"] = {
        name: checkpoint_files._digest(path / name)
        for name in manifest["sha256"]
    }
    (path / "manifest.json").write_text(json.dumps(manifest))


def huge_shape(path):
    rewrite(path, lambda facts: facts["arrays"][0][0].__setitem__(2, [2**50]))


def outside_name(path):
    rewrite(
        path,
        lambda facts: facts["arrays"][0][0].__setitem__(
            0, "../../../etc/passwd"
        ),
    )


def pickled(path):
    """Object arrays, which numpy would unpickle, in place of bytes."""

    class Harm:
        def __reduce__(self):
            return os.system, (HARM,)

    data = io.BytesIO()
    np.save(data, np.array([Harm()], object), allow_pickle=True)
    (path / "arrays.bin").write_bytes(data.getvalue())
    hash_anew(path)


def linked(path):
    (path / "arrays.bin").unlink()
    (path / "arrays.bin").symlink_to("/dev/zero")


def faults(few):
    keras.config.enable_unsafe_deserialization()  # to write, not to read
    changes = {
        "a Lambda layer": (use_lambda, "disallowed by default"),
        "os.system as the drop fraction": (
            functools.partial(use_function, "drop_fraction", "os", "system"),
            "Could not locate function 'system'",
        ),
        "eval as the sparsity": (
            functools.partial(use_function, "sparsity", "builtins", "eval"),
            "Could not locate function 'eval'",
        ),
        "subprocess.Popen as the algorithm": (
            functools.partial(use_class, "algorithm", "subprocess", "Popen"),
            "Could not locate class 'Popen'",
        ),
    }
    for name, (change, reason) in list(changes.items())[: 1 if few else None]:
        yield (
            "harmful .keras file",
            name,
            functools.partial(evil_file, change=change, reason=reason),
        )
    if not few:
        yield "harmful .keras file", "weights elsewhere", external_weights
    for damage in (huge_shape, outside_name, pickled, linked):
        yield (
            "harmful checkpoint",
            damage.__name__,
            functools.partial(checkpoint, damage=damage),
        )


if __name__ == "__main__":
    harness.main(faults)
