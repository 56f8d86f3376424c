"""Unwraps the network of a model and copies the state of its layers."""

import contextlib
import tempfile

import keras

from rigl_tf._keras_compat import Functional
from rigl_tf._keras_compat import all_layers
from rigl_tf.modeling.forwarded_attributes import network_of
from rigl_tf.utils import refusals


def network(model):
    """Returns the network of a `SparseModel`, or any other model itself."""
    refusals.refuse_keras_2(model, "model")
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"`model` must be a `keras.Model`. Received: model={model!r}."
        )
    return network_of(model)


def is_subclassed(model):
    """Returns whether a model is neither Sequential nor functional."""
    return not isinstance(network(model), keras.Sequential | Functional)


@contextlib.contextmanager
def uncompiled(model):
    """Hides how a model was compiled, so that the optimizer is not saved.

    Args:
        model: `keras.Model`.
    """
    models = [model, *all_layers(model, include_self=False)]
    models = [each for each in models if getattr(each, "compiled", False)]
    before = [(each, each.optimizer) for each in models]
    try:
        for each in models:
            each.compiled, each.optimizer = False, None
        yield
    finally:
        for each, optimizer in before:
            each.compiled, each.optimizer = True, optimizer


def fill(copy, layer, weights):
    """Copies the state of a layer to a copy of the layer.

    Args:
        copy: `keras.Layer`, built.
        layer: `keras.Layer` with the same configuration.
        weights: List of arrays, the new weights of `copy`.
    """
    if not hasattr(layer, "adapt"):
        copy.set_weights(weights)
        return
    # Statistics and vocabularies are not all in the weights.
    store = {}
    layer.save_own_variables(store)
    copy.load_own_variables(store)
    if hasattr(layer, "save_assets"):
        with tempfile.TemporaryDirectory() as directory:
            layer.save_assets(directory)
            copy.load_assets(directory)
