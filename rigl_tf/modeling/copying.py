"""Copies of models, through Keras's own saving."""

import pathlib
import tempfile

import keras
import numpy as np
from keras import layers as kl

from rigl_tf.modeling import maskable
from rigl_tf.utils.tensors import as_array

# Functions that Keras itself sets on layers and models.
_OF_KERAS = (
    "build",
    "quantize",
    "train_function",
    "test_function",
    "predict_function",
)


def copy_model(model: keras.Model) -> keras.Model:
    """Returns a copy of a model that shares nothing with it.

    Args:
        model: A built `keras.Model` without masks.

    Raises:
        ValueError: If the copy would lose something: the message names it.
    """
    compiled, model.compiled = model.compiled, False
    try:
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory, "model.keras")
            model.save(path)
            copy = keras.saving.load_model(path, safe_mode=False)
    except Exception as error:
        raise ValueError(
            f"{model.name!r} cannot be copied: Keras cannot save and load "
            f"{', '.join(_unregistered(model)) or 'it'} ({_cause(error)}). "
            "Leave `copy=True` out, so that the sparse model is made of the "
            "model's own layers; or build a second model."
        ) from error
    finally:
        model.compiled = compiled
    lost = [*_lost(model, copy)]
    if lost:
        raise ValueError(
            f"A copy of {model.name!r} through Keras's saving loses "
            f"{', '.join(lost)}. Leave `copy=True` out, so that the sparse "
            "model is made of the model's own layers; or build a second "
            "model."
        )
    return copy


def _lost(model, copy):
    """Returns the names of the parts that a copy has lost."""
    if type(copy) is not type(model):
        yield f"its class {type(model).__name__}"
    ours = [("", model), *maskable.layers_of(model)]
    theirs = [("", copy), *maskable.layers_of(copy)]
    if [type(layer) for _, layer in ours] != [type(la) for _, la in theirs]:
        yield "layers"
        return
    for (path, one), (_, other) in zip(ours, theirs, strict=True):
        path = path or one.name
        if one.trainable != other.trainable:
            yield f"`trainable` of {path!r}"
        for name, value in _functions(one):
            if not _is_same(value, vars(other).get(name)):
                yield f"the function {name!r} of {path!r}"
    if len(model.variables) != len(copy.variables):
        yield "shared weights"
        return
    _copy_state(model, copy)
    for one, other in zip(model.variables, copy.variables, strict=True):
        if not np.array_equal(as_array(one), as_array(other)):
            yield f"the values of {one.path!r}"


def _unregistered(model):
    """Names the functions that Keras knows neither as its own nor by name."""
    for path, layer in [(model.name, model), *maskable.layers_of(model)]:
        for name, value in _functions(layer):
            kind = value if hasattr(value, "__name__") else type(value)
            is_of_keras = kind.__module__.partition(".")[0] == keras.__name__
            registered = keras.saving.get_registered_name(kind)
            if not is_of_keras and registered == kind.__name__:
                yield f"the function {name!r} of {path!r}"


def _functions(layer):
    """Yields (name, value) for what a layer has and can call, not layers."""
    for name, value in vars(layer).items():
        if name.startswith("_") or name in _OF_KERAS:
            continue
        if callable(value) and not isinstance(value, keras.Layer):
            yield name, value


def _copy_state(model, copy):
    """Copies random and recurrent states, which Keras does not save."""
    weights = {id(weight) for weight in model.weights}
    ours, theirs = model.variables, copy.variables
    for (_, one), (_, other) in zip(
        maskable.layers_of(model), maskable.layers_of(copy), strict=True
    ):
        if isinstance(one, kl.RNN) and one.stateful:
            ours = [*ours, *keras.tree.flatten(one.states)]
            theirs = [*theirs, *keras.tree.flatten(other.states)]
    for one, other in zip(ours, theirs, strict=True):
        if id(one) not in weights and one.shape == other.shape:
            other.assign(one)


def _is_same(one, other):
    if type(one).__name__ == "function" or isinstance(one, type(len)):
        return one is other
    return type(one) is type(other)


def _cause(error):
    """Returns the line of an error of Keras that has its cause."""
    cause = str(error).rpartition("Exception encountered: ")[-1]
    return cause.strip().split("\n")[0].split(". ")[0][:120]
