"""What all tests share."""

import collections
import gc

import numpy as np
import pytest

# TensorFlow is imported in functions: the process that starts the workers and
# waits for them does without.

# Graphs are many small objects: to look through them takes a third of the time.
gc.set_threshold(200_000)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Marks the further cases of tests with `few` as slow.

    `@pytest.mark.few(2)` keeps two cases in `make test`, spread over the list
    of all.
    """
    cases = collections.defaultdict(list)
    for item in items:
        if few := item.get_closest_marker("few"):
            cases[item.function, few.args[0]].append(item)
    for (_, number), alike in cases.items():
        kept = alike[:: -(-len(alike) // number)]
        for item in set(alike).difference(kept):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session", autouse=True)
def graphs_as_they_are():
    """Leaves graphs as they are made.

    A graph that runs for a few steps is not worth optimizing: that takes a
    fifth of the time. Programs that tests start, the faults among them,
    optimize.
    """
    import tensorflow as tf

    options = {"disable_meta_optimizer": True}
    tf.config.optimizer.set_experimental_options(options)


@pytest.fixture(autouse=True)
def fresh_state():
    import keras

    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def data():
    """Two hundred examples that a small network can learn."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 16)).astype("float32")
    y = (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype("int32")
    return x, y
