"""The examples in docstrings of what users call compute what they show."""

import doctest
import importlib
import inspect
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import rigl_tf
from rigl_tf import results
from tests import public_api
from tests.records import record


def with_examples():
    """Public functions and classes whose docstrings have examples, by name."""
    found = {}
    for line in public_api.lines():
        name = line.partition("(")[0].partition(":")[0].strip()
        value = rigl_tf
        for part in name.split("."):
            value = getattr(value, part, None)
        if inspect.isclass(value) or inspect.isfunction(value):
            tests = doctest.DocTestFinder().find(value, name)
            if any(test.examples for test in tests):
                found[name] = tests
    return found


EXAMPLES = with_examples()


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
    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for test in EXAMPLES[name]:
        module = importlib.import_module(test.globs["__name__"])
        test.globs = {
            **vars(module),
            "keras": keras,
            "np": np,
            "rigl_tf": rigl_tf,
            "tf": tf,
            "tickets": rigl_tf.tickets,
            "network": network,
            "x": x,
            "y": np.arange(128) % 3,
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as short trainings
            assert runner.run(test).failed == 0
