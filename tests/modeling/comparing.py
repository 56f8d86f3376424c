"""Comparison of a model with its sparse and its dense one."""

import keras
import numpy as np

import rigl_tf
from rigl_tf import algorithms


def outputs(model, x):
    """What a model computes in inference, as arrays."""
    return keras.tree.map_structure(np.asarray, model(x, training=False))


def reloaded(model, directory):
    """A model, saved and loaded."""
    model.save(directory / "model.keras")
    return keras.models.load_model(directory / "model.keras")


def check_equal(one, other):
    """Checks that two structures of arrays are equal, bit for bit."""
    keras.tree.assert_same_structure(one, other)
    keras.tree.map_structure(np.testing.assert_array_equal, one, other)


def check_nothing_is_lost(model, x, directory=None, **kwargs):
    """Checks that a model computes the same when it is sparse and dense again.

    Args:
        model: A built `keras.Model`.
        x: Its inputs.
        directory: Where to save both, and load them, or `None`.
        **kwargs: For `sparsify`.

    Returns:
        The sparse model, and both as they were loaded.
    """
    layers = model._flatten_layers()
    variables = list(map(id, model.variables))
    before = outputs(model, x)

    sparse = rigl_tf.sparsify(model, algorithms.Static(), sparsity=0, **kwargs)

    assert sparse.kernels
    check_equal(outputs(sparse, x), before)
    if directory is not None:
        loaded = reloaded(sparse, directory)
        shapes = [kernel.shape for kernel in sparse.kernels]
        assert [kernel.shape for kernel in loaded.kernels] == shapes
        check_equal(outputs(loaded, x), before)
        check_equal(outputs(rigl_tf.densify(loaded), x), before)

    dense = rigl_tf.densify(sparse)

    assert dense is model
    check_equal(outputs(dense, x), before)
    assert list(map(id, dense._flatten_layers())) == list(map(id, layers))
    assert list(map(id, dense.variables)) == variables
    if directory is None:
        return sparse, None, None
    loaded_dense = reloaded(dense, directory)
    assert type(loaded_dense) is type(model)
    assert len(loaded_dense.variables) == len(variables)
    check_equal(outputs(loaded_dense, x), before)
    return sparse, loaded, loaded_dense
