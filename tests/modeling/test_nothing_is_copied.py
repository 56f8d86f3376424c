"""A sparse model computes what its model computes, layer by layer."""

import inspect

import keras
import numpy as np
import pytest

from tests.modeling import keras_layers
from tests.modeling.comparing import check_nothing_is_lost


def names_of_keras_layers():
    classes = (value for _, value in inspect.getmembers(keras.layers))
    return {
        value.__name__
        for value in classes
        if inspect.isclass(value) and issubclass(value, keras.Layer)
    }


def test_every_layer_of_keras_is_tried_or_has_nothing_to_lose():
    tried = {name.partition(",")[0] for name in keras_layers.CASES}
    tried |= {type(layer).__name__ for layer in keras_layers.augmentations()}
    tried -= {"Layers that augment images"}
    # Tried with a directory, below.
    tried |= {"TFSMLayer"}
    left_out = {*keras_layers.BASES, *keras_layers.STATELESS}

    assert tried.isdisjoint(left_out)
    assert tried | left_out == names_of_keras_layers()


@pytest.mark.parametrize("name", keras_layers.STATELESS)
def test_layers_that_are_left_out_take_no_function_and_no_seed(name):
    arguments = inspect.signature(getattr(keras.layers, name)).parameters

    assert not {"function", "seed", "activation"} & set(arguments)
    assert not any("initializer" in argument for argument in arguments)


@pytest.mark.few(2)
@pytest.mark.parametrize("case", keras_layers.CASES)
def test_a_layer_computes_the_same_in_a_sparse_model(case, tmp_path):
    model, x = keras_layers.made(case)

    check_nothing_is_lost(model, x, tmp_path)


def test_a_saved_model_as_a_layer_computes_the_same(tmp_path):
    inner = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(5, activation="tanh")]
    )
    inner.export(tmp_path / "inner", verbose=False)
    inputs = keras.Input((4,))
    x = keras.layers.Dense(4)(inputs)
    x = keras.layers.TFSMLayer(tmp_path / "inner")(x)
    model = keras.Model(inputs, keras.layers.Dense(3)(x))

    check_nothing_is_lost(model, np.ones((2, 4), "float32"))
