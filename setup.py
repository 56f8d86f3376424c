import pathlib
import re

import setuptools

ROOT = pathlib.Path(__file__).parent


def read_version():
    """Reads `__version__` without importing what is not installed yet."""
    path = ROOT / "rigl_tf" / "__init__.py"
    found = re.search(r'^__version__ = "(.+)"$', path.read_text(), re.MULTILINE)
    if found is None:
        raise ValueError(
            f'{path} must have a line such as `__version__ = "1.0.0"`.'
        )
    return found[1]


setuptools.setup(
    name="rigl-tf",
    version=read_version(),
    description="Sparse training for Keras 3 on TensorFlow.",
    license="Apache-2.0",
    python_requires=">=3.11",
    # requirements.txt has the exact versions that the tests run with.
    install_requires=[
        "absl-py>=1.4",
        "filelock>=4.3",
        "gin-config>=0.5",
        "importlib_resources",  # tensorflow-datasets imports it, undeclared
        "keras>=3.15,<3.16",
        "matplotlib>=3.10",
        "numpy>=2.0",
        "scikit-learn>=1.6",
        "tensorboard>=2.20",
        "tensorflow>=2.21,<2.22",
        "tensorflow-datasets>=4.9.9",
    ],
    extras_require={
        "export": [
            "onnx>=1.23",
            "onnxruntime>=1.31",
            "tf2onnx>=1.17",
            "zstandard>=0.25",
        ],
        "fast": ["numba>=0.68"],
        "studies": ["optuna>=5"],
        "tfmot": ["tensorflow-model-optimization>=0.8.1"],
        "dev": [
            "hypothesis>=6",
            "import-linter>=2.17",
            "ipykernel>=7",
            "nbclient>=0.10",
            "nbformat>=5.10",
            "pytest>=9",
            "pytest-xdist>=3.8",
            "ruff>=0.17",
        ],
    },
    # In a checkout the configs lie beside rigl_tf/, in a wheel inside it.
    packages=[
        *setuptools.find_packages(include=["rigl_tf", "rigl_tf.*"]),
        "rigl_tf.gin_configs",
    ],
    package_dir={"rigl_tf.gin_configs": "gin_configs"},
    package_data={"rigl_tf.gin_configs": ["**/*.gin", "**/*.toml"]},
    entry_points={
        "console_scripts": [
            "rigl-papers = rigl_tf.bin.papers:run",
            "rigl-prepare = rigl_tf.bin.prepare:run",
            "rigl-train = rigl_tf.bin.train:run",
            "rigl-sweep = rigl_tf.bin.sweep:run",
            "rigl-report = rigl_tf.bin.report:run",
            "rigl-study = rigl_tf.bin.study:run",
            "rigl-export = rigl_tf.bin.export:run",
        ],
    },
)
