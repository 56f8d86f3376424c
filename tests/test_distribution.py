"""The distribution is complete: it works where there is no checkout."""

import os
import pathlib
import shutil
import subprocess
import sys
import tarfile

import pytest

ROOT = pathlib.Path(__file__).parent.parent
FIVE_LINES = """
import keras, numpy as np
import rigl_tf

keras_model = keras.Sequential(
    [keras.Input((8,)), keras.layers.Dense(16), keras.layers.Dense(2)]
)
model = rigl_tf.sparsify(keras_model, "rigl", sparsity=0.75)
model.compile("adam", "mse")
x, y = np.random.rand(64, 8), np.random.rand(64, 2)
model.fit(x, y, verbose=0, callbacks=[rigl_tf.SparsityMonitor()])
plain = rigl_tf.densify(model)

assert np.count_nonzero(plain.layers[0].kernel) < 64
print(rigl_tf.__file__)
"""
EXTRAS = (
    "matplotlib",
    "numba",
    "onnx",
    "onnxruntime",
    "optuna",
    "pandas",
    "scipy",
    "sklearn",
    "tensorboard",
    "tensorflow_datasets",
    "tf2onnx",
    "zstandard",
)


def python(directory, *arguments, path=ROOT):
    """Runs Python in a directory; returns its output."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=directory,
        env=os.environ | {"PYTHONPATH": str(path), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_no_package_of_an_extra_is_needed_for_a_sparse_fit(tmp_path):
    missing = f"import sys; sys.modules |= dict.fromkeys({EXTRAS})\n"

    python(tmp_path, "-c", missing + FIVE_LINES)


def test_a_missing_extra_is_named_in_one_line(tmp_path):
    code = (
        f"import sys; sys.modules |= dict.fromkeys({EXTRAS})\n"
        "import rigl_tf\n"
        "for use in (\n"
        "    lambda: rigl_tf.results.load('runs'),\n"
        "    lambda: rigl_tf.datasets.digits(),\n"
        "    lambda: rigl_tf.experiments.train,\n"
        "):\n"
        "    try:\n"
        "        use()\n"
        "    except ImportError as error:\n"
        "        print(error)\n"
    )

    lines = python(tmp_path, "-c", code).splitlines()

    assert len(lines) == 3
    assert all("pip install 'rigl-tf[runs]'" in line for line in lines)


@pytest.mark.slow
def test_the_wheel_from_the_source_distribution_runs_anywhere(tmp_path):
    copy, dist, site = (tmp_path / name for name in ("copy", "dist", "site"))
    shutil.copytree(
        ROOT,
        copy,
        ignore=shutil.ignore_patterns(".*", "runs", "build", "*.egg-info"),
    )
    build = "from setuptools import build_meta; build_meta.build_sdist({!r})"
    python(copy, "-c", build.format(str(dist)), path="")
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.glob("rigl_tf-*")
    assert {path.name for path in source.iterdir()} >= {
        "CHANGELOG.md",
        "CITATION.cff",
        "LICENSE",
        "README.md",
        "docs",
        "gin_configs",
        "requirements.txt",
        "rigl_tf",
        "tests",
    }
    pip = ["-m", "pip", "--quiet", "--disable-pip-version-check"]
    install = [*pip, "install", "--no-deps", "--no-build-isolation"]
    python(tmp_path, *install, f"--target={site}", source, path="")
    empty = tmp_path / "empty"
    empty.mkdir()

    (file,) = python(empty, "-c", FIVE_LINES, path=site).splitlines()
    out = python(
        empty,
        site / "bin" / "rigl-train",
        "--task=digits_mlp",
        "--method=rigl",
        "--set=SPARSITY = 0.9",
        "--set=EPOCHS = 1",
        "--progress=none",
        "--output_dir=run",
        path=site,
    )
    claims = python(empty, site / "bin" / "rigl-claims", path=site)

    assert pathlib.Path(file) == site / "rigl_tf" / "__init__.py"
    assert (site / "rigl_tf" / "py.typed").exists()
    assert (empty / "run" / "record.json").exists()
    assert "rigl-export run" in out
    assert len(claims.splitlines()) > 2
