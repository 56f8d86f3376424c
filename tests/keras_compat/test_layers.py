"""What layers keep for themselves."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

from rigl_tf import _keras_compat


def test_layers_inside_of_layers_are_found():
    """Without it, masks reach the outermost layers only."""
    dense, relu = kl.Dense(2), kl.ReLU()
    inner = keras.Sequential([keras.Input((4,)), dense])
    model = keras.Sequential([keras.Input((4,)), inner, relu])

    found = set(_keras_compat.all_layers(model))

    assert found >= {model, inner, dense, relu}
    assert model not in _keras_compat.all_layers(model, include_self=False)
    assert {inner, relu} <= set(_keras_compat.children(model)) < found - {dense}


def test_a_frozen_layer_has_trainable_variables_of_its_own():
    """Without it, what is frozen would have no masks and no parameters."""
    layer = kl.Dense(2)
    model = keras.Sequential([keras.Input((4,)), layer])
    model.trainable = False

    own = _keras_compat.own_trainable_variables(layer)

    assert layer.trainable_variables == []
    assert list(map(id, own)) == [id(layer.kernel), id(layer.bias)]
    assert _keras_compat.own_trainable_variables(model) == []


def test_a_layer_tells_whether_it_takes_training():
    """Without it, dropout in a model drops nothing, or a call fails."""
    add = _keras_compat.operation_of(keras.Input((4,)) + 1.0)

    assert _keras_compat.takes_training(kl.Dropout(0.5))
    assert not _keras_compat.takes_training(kl.ReLU())
    assert not _keras_compat.takes_training(add)


def test_a_file_with_too_few_variables_is_refused():
    """Without it, masks of another model would be loaded in part."""
    layer = kl.Dense(2)
    layer.build((None, 4))
    store = {"0": layer.kernel.numpy()}

    with pytest.raises(ValueError, match="expected 2 variables"):
        _keras_compat.check_number_of_variables(layer, store)
    store["1"] = layer.bias.numpy()
    _keras_compat.check_number_of_variables(layer, store)


def test_a_built_layer_is_locked_until_it_is_unlocked():
    """Without it, a model that was made plain could not keep its masks."""
    layer = kl.Dense(2)
    layer.build((None, 4))
    with pytest.raises(ValueError, match="already built"):
        layer.other = kl.Dense(2)

    _keras_compat.unlock(layer)
    layer.other = kl.Dense(2)

    assert _keras_compat.children(layer) == [layer.other]


def test_another_kernel_takes_the_place_of_the_first():
    """Without it, no built layer can store active connections only."""
    layer = kl.Dense(2, name="dense")
    layer.build((None, 4))

    with _keras_compat.kernel_replaced(layer):
        new = layer.add_weight(shape=(5,), name="kernel")

    assert list(map(id, layer.weights)) == [id(new), id(layer.bias)]
    assert layer.kernel is None
    assert new.path == "dense/kernel"
    with pytest.raises(ValueError, match="already built"):
        layer.other = kl.Dense(2)


def test_another_function_computes_a_layer_for_a_while():
    """Without it, the shapes that FLOPs count are not seen."""
    layer = kl.Dense(2)
    layer.build((None, 4))
    before = set(vars(layer))

    with _keras_compat.call_replaced(layer, lambda x: x + 1):
        result = layer(tf.zeros((1, 4)))

    np.testing.assert_array_equal(result, np.ones((1, 4)))
    assert set(vars(layer)) - before <= {"_inbound_nodes", "_losses"}
    assert layer(tf.zeros((1, 4))).shape == (1, 2)


def test_a_function_of_no_module_is_in_the_layer_made_again():
    """Without it, a layer with such a function could not be shrunk."""

    def activation(x):
        return x + 1

    layer = kl.Dense(2, activation=activation)

    again = _keras_compat.made_again(layer, {**layer.get_config(), "units": 3})

    assert again.activation is activation
    assert again.units == 3


def test_an_untracked_layer_is_no_part():
    """Without it, a layer would be saved and counted twice."""
    layer = kl.Dense(2)

    layer.other = _keras_compat.Untracked(kl.Dense(3))

    assert _keras_compat.children(layer) == []
