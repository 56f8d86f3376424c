"""Calls in functional and Sequential models, read, run and replaced."""

import gc
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

from rigl_tf import _keras_compat


def two_layers():
    inputs = keras.Input((4,), name="inputs")
    hidden = kl.Dense(3, name="hidden")(inputs)
    return keras.Model(inputs, kl.Dense(2, name="head")(hidden))


def test_models_of_tensors_are_functional():
    """Without it, they are not told apart from models of the user's own."""
    assert type(two_layers()) is _keras_compat.Functional


def test_a_sequential_model_has_a_graph():
    """Without it, it could not be flattened, and wrappers not be shown."""
    model = keras.Sequential([keras.Input((4,)), kl.Dense(2)])

    graph = _keras_compat.graph_of(model)

    assert type(graph) is _keras_compat.Functional
    assert graph.operations[-1] is model.layers[-1]
    assert _keras_compat.graph_of(keras.Sequential([kl.Dense(2)])) is None


def test_a_class_with_a_constructor_of_its_own_is_not_saved_as_a_graph():
    """Without it, wrappers would be lost when such a model is saved."""

    class Own(keras.Model):
        def __init__(self, width):
            inputs = keras.Input((4,))
            super().__init__(inputs, kl.Dense(width)(inputs))

    assert _keras_compat.is_graph(two_layers())
    assert not _keras_compat.is_graph(Own(2))


def test_a_tensor_knows_its_operation():
    """Without it, inputs have no names and outputs no layer."""
    model = two_layers()

    assert _keras_compat.operation_of(model.output) is model.layers[-1]
    assert _keras_compat.head_of(model) is model.layers[-1]


def test_calls_come_in_the_order_of_the_graph():
    """Without them, channels cannot be followed from layer to layer."""
    model = two_layers()

    nodes = _keras_compat.nodes_of(model)

    names = [node.operation.name for node in nodes]
    assert names == ["inputs", "hidden", "head"]
    assert nodes[1].input_tensors == model.inputs
    assert nodes[2].outputs == model.outputs
    assert nodes[2].arguments.args == tuple(nodes[1].outputs)


def test_a_graph_runs_with_another_function_for_each_call():
    """Without it, nested models cannot be flattened, and not be shrunk."""
    called = []

    def call(operation, x, **kwargs):
        called.append(operation.name)
        return x + 1

    result = _keras_compat.run_graph(two_layers(), tf.zeros((1, 4)), call)

    assert called == ["hidden", "head"]
    np.testing.assert_array_equal(result, np.full((1, 4), 2.0))


def test_a_call_can_be_forgotten():
    """Without it, a layer keeps every model alive that was made to shrink."""
    layer = kl.Dense(2)
    assert not _keras_compat.is_called(layer)
    before = layer(keras.Input((4,)))
    assert _keras_compat.is_called(layer)

    with _keras_compat.calls_restored([layer, layer]):
        made = weakref.ref(layer(keras.Input((4,))))
    gc.collect()

    assert made() is None
    assert layer.output is before


def test_operations_on_arrays_have_names():
    """Without them, no model with `x + y` can be shrunk."""
    x = keras.Input((4,))

    names = [
        _keras_compat.array_operation(_keras_compat.operation_of(tensor))
        for tensor in (x + x, keras.ops.concatenate([x, x]), kl.Dense(2)(x))
    ]

    assert names == ["Add", "Concatenate", None]


@pytest.mark.parametrize("name", ["hidden", "head"])
def test_a_wrapper_is_shown_in_the_place_of_its_layer(name):
    """Without it, masks are no part of the model: not saved, not found."""
    model = two_layers()
    layer, output = model.get_layer(name), model.output
    wrapper = kl.Wrapper(layer, name=name)

    _keras_compat.show_in_graph(model, {id(layer): wrapper})
    assert model.get_layer(name) is wrapper
    assert wrapper in model.operations
    assert model.output is output
    _keras_compat.hide_in_graph(model, {id(wrapper): layer})

    assert model.get_layer(name) is layer
    assert layer in model.operations
    assert wrapper not in model.operations
    assert _keras_compat.operation_of(output) is model.get_layer("head")


def test_an_operation_takes_the_place_of_another():
    """Without it, a model that holds a sparse one cannot be made plain."""
    model = two_layers()
    old, new = model.get_layer("hidden"), kl.Dense(3, name="new")
    new.build((None, 4))

    _keras_compat.replace_in_graph(model, {id(old): new})

    assert [layer.name for layer in model.layers] == ["inputs", "new", "head"]
    new.kernel.assign(tf.zeros((4, 3)))
    new.bias.assign([1.0, 2.0, 3.0])
    np.testing.assert_allclose(
        model(tf.ones((1, 4))),
        np.array([[1.0, 2.0, 3.0]]) @ model.get_layer("head").kernel.numpy(),
        rtol=1e-6,
    )


def test_layers_among_attributes_are_replaced_for_a_while():
    """Without it, masks in lists of layers cannot be taken out."""

    class Blocks(keras.Model):
        def __init__(self):
            super().__init__()
            self.first = kl.Dense(2)
            self.blocks = [kl.Dense(2), kl.Dense(2)]
            self.named = {"last": kl.Dense(2)}

    model = Blocks()
    old = [model.first, model.blocks[1], model.named["last"]]
    new = [kl.Dense(2) for _ in old]

    undo = _keras_compat.replace_attributes(
        model, {id(one): other for one, other in zip(old, new, strict=True)}
    )
    during = [model.first, model.blocks[1], model.named["last"]]
    undo()

    assert list(map(id, during)) == list(map(id, new))
    after = [model.first, model.blocks[1], model.named["last"]]
    assert list(map(id, after)) == list(map(id, old))
