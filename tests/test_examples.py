"""The examples in docstrings compute what they show."""

import doctest
import importlib
import pkgutil
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import rigl_tf
from rigl_tf import results
from tests.records import record

OPTIONAL = "rigl_tf.kernels.ops", "rigl_tf.bin"


def examples():
    """All examples of the library, by the name of what they belong to."""
    return {
        test.name: test
        for module in pkgutil.walk_packages(rigl_tf.__path__, "rigl_tf.")
        if not module.name.startswith(OPTIONAL)
        for test in doctest.DocTestFinder().find(
            importlib.import_module(module.name)
        )
        if test.examples
    }


EXAMPLES = examples()


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_computes_what_it_shows(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "rigl").mkdir(parents=True)
    results.write(tmp_path / "runs" / "rigl", record())
    network = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(8, "relu", name="hidden"),
            keras.layers.Dense(3, "softmax", name="classes"),
        ]
    )
    network.compile("sgd", "sparse_categorical_crossentropy")
    test = EXAMPLES[name]
    test.globs |= {
        "keras": keras,
        "np": np,
        "rigl_tf": rigl_tf,
        "tf": tf,
        "tickets": rigl_tf.tickets,
        "network": network,
        "x": np.random.default_rng(0).normal(size=(128, 4)).astype("float32"),
        "y": np.arange(128) % 3,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as short trainings
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        assert runner.run(test).failed == 0
