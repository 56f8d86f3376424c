"""A sparse model computes what its model computes, however that is built."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl
from keras import ops

import rigl_tf
from rigl_tf import algorithms
from rigl_tf.modeling import maskable
from tests.modeling.comparing import check_equal
from tests.modeling.comparing import check_nothing_is_lost
from tests.modeling.comparing import outputs
from tests.modeling.comparing import reloaded
from tests.modeling.model_builders import as_input
from tests.modeling.model_builders import floats
from tests.modeling.model_builders import relu
from tests.modeling.model_builders import scramble
from tests.modeling.structures import NOT_SAVED
from tests.modeling.structures import STRUCTURES
from tests.modeling.structures import Subclassed
from tests.modeling.structures import blocks
from tests.modeling.structures import frozen
from tests.modeling.structures import used_twice

STATIC = algorithms.Static()


@pytest.mark.few(3)
@pytest.mark.parametrize("build", STRUCTURES, ids=lambda f: f.__name__)
def test_a_structure_computes_the_same(build, tmp_path):
    model = build()
    scramble(model)

    check_nothing_is_lost(model, floats((4,)), tmp_path)


@pytest.mark.parametrize("build", NOT_SAVED, ids=lambda f: f.__name__)
def test_a_structure_that_keras_cannot_load_computes_the_same(build):
    model = build()
    scramble(model)

    check_nothing_is_lost(model, floats((4,)))


def test_kernels_inside_layers_are_found_again_when_names_are_not(tmp_path):
    model = blocks()
    names = [kernel.name for kernel in maskable.maskable_kernels(model)]
    x = floats((4,))

    sparse = rigl_tf.sparsify(
        model, "rigl", sparsity=0.5, exclude=[names[0], names[3]]
    )
    loaded = reloaded(sparse, tmp_path)

    # Keras names the layers of a block anew.
    assert {k.name for k in loaded.kernels} != {k.name for k in sparse.kernels}
    for one, other in zip(loaded.kernels, sparse.kernels, strict=True):
        np.testing.assert_array_equal(one.mask, other.mask)
    check_equal(outputs(loaded, x), outputs(sparse, x))
    again = reloaded(loaded, tmp_path)
    check_equal(outputs(again, x), outputs(sparse, x))


def test_a_sparse_model_keeps_its_masks_when_densify_is_called_twice(tmp_path):
    model = used_twice()
    sparse = rigl_tf.sparsify(model, "rigl", sparsity=0.5)

    for _ in range(2):
        assert rigl_tf.densify(sparse) is model
    loaded = reloaded(sparse, tmp_path)

    for one, other in zip(loaded.kernels, sparse.kernels, strict=True):
        np.testing.assert_array_equal(one.mask, other.mask)


def test_a_subclassed_model_computes_the_same(tmp_path):
    model = Subclassed()
    model(floats((4,)))
    scramble(model)

    sparse, _, _ = check_nothing_is_lost(model, floats((4,)), tmp_path)

    assert len(sparse.kernels) == 5


def test_dictionaries_of_inputs_and_outputs_stay(tmp_path):
    inputs = {
        "number": keras.Input((4,), name="number"),
        "word": keras.Input((1,), dtype="string", name="word"),
    }
    words = np.array([["red"], ["blue"], ["red"]])
    lookup = kl.StringLookup(output_mode="one_hot")
    lookup.adapt(as_input(words))
    normalization = kl.Normalization()
    normalization.adapt(7 * floats((4,)) - 2)
    number = normalization(inputs["number"])
    x = kl.Concatenate()([number, lookup(inputs["word"])])
    x = kl.Dense(5, activation=relu)(x)
    heads = {"one": kl.Dense(2, name="one")(x), "two": [kl.Dense(3)(x), x]}
    model = keras.Model(inputs, heads)
    scramble(model)

    check_nothing_is_lost(
        model,
        {"number": as_input(floats((4,))), "word": as_input(words)},
        tmp_path,
    )


@pytest.mark.parametrize("kind", [kl.LSTM, kl.GRU, kl.SimpleRNN])
def test_the_state_of_a_recurrent_layer_continues(kind, tmp_path):
    inputs = keras.Input(batch_shape=(3, 6, 4))
    recurrent = kind(5, stateful=True, activation=relu)
    model = keras.Model(inputs, kl.Dense(2)(recurrent(inputs)))
    x = floats((6, 4))
    first, second, third = (outputs(model, x) for _ in range(3))
    recurrent.reset_state()

    check_equal(outputs(model, x), first)
    sparse = rigl_tf.sparsify(model, STATIC, sparsity=0)
    check_equal(outputs(sparse, x), second)
    check_equal(outputs(rigl_tf.densify(sparse), x), third)
    # Keras saves no states: a model that is loaded starts afresh.
    check_equal(outputs(reloaded(sparse, tmp_path), x), first)


def test_random_numbers_continue():
    model = keras.Sequential(
        [keras.Input((4,)), kl.Dense(50), kl.Dropout(0.5), kl.GaussianNoise(1)]
    )
    x = floats((4,))
    generators = [layer.seed_generator for layer in model.layers[1:]]

    def drawn(model):
        return np.asarray(model(x, training=True))

    before = [np.asarray(each.state) for each in generators]
    first, second = drawn(model), drawn(model)
    for generator, state in zip(generators, before, strict=True):
        generator.state.assign(state)

    sparse = rigl_tf.sparsify(model, STATIC, sparsity=0)
    np.testing.assert_array_equal(drawn(sparse), first)
    np.testing.assert_array_equal(drawn(rigl_tf.densify(sparse)), second)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: ops.maximum(x, -0.1),
        functools.partial(relu),
        functools.partial(ops.leaky_relu, negative_slope=0.7),
        ops.sinh,
        tf.math.asinh,
    ],
    ids=["lambda", "partial", "partial of Keras's", "Keras's", "TensorFlow's"],
)
def test_functions_stay_the_same_objects(function):
    model = keras.Sequential(
        [
            keras.Input((4,)),
            kl.Dense(5, activation=function),
            kl.Lambda(function),
            kl.Dense(2, activation=function),
        ]
    )

    check_nothing_is_lost(model, floats((4,)))

    assert model.layers[0].activation is function
    assert model.layers[1].function is function


def test_constraints_and_regularizers_stay_the_same_objects():
    constraint = keras.constraints.MaxNorm(0.1)
    penalty = keras.regularizers.L2(0.3)
    dense = kl.Dense(
        5, kernel_constraint=constraint, kernel_regularizer=penalty
    )
    model = keras.Sequential([keras.Input((4,)), dense, kl.Dense(2)])
    before = model.losses[0]

    sparse = rigl_tf.sparsify(model, STATIC, sparsity=0)
    np.testing.assert_array_equal(sparse.losses[0], before)
    plain = rigl_tf.densify(sparse)

    assert plain is model
    assert dense.kernel.constraint is constraint
    assert dense.kernel.regularizer is penalty
    np.testing.assert_array_equal(plain.losses[0], before)


def test_what_is_trainable_stays(tmp_path):
    model = frozen()
    sparse, loaded, dense = check_nothing_is_lost(model, floats((4,)), tmp_path)

    for each in (model, dense, sparse.network, loaded.network):
        assert not each.get_layer("frozen").trainable
        assert not each.get_layer("norm").trainable
        assert len(each.trainable_variables) == 2
    assert [kernel.name for kernel in sparse.kernels] == [model.layers[2].name]


def test_what_a_model_was_compiled_with_stays():
    model = keras.Sequential([keras.Input((4,)), kl.Dense(3)])
    optimizer = keras.optimizers.Adam(0.3)
    model.compile(optimizer, loss="mse", metrics=["mae"])
    x = floats((4,))
    model.fit(x, x[:, :3], verbose=0)
    before = [np.asarray(v) for v in optimizer.variables]

    dense = rigl_tf.densify(rigl_tf.sparsify(model, STATIC, sparsity=0))

    assert dense.optimizer is optimizer
    for old, new in zip(before, optimizer.variables, strict=True):
        np.testing.assert_array_equal(old, new)
    dense.fit(x, x[:, :3], verbose=0)
    assert int(optimizer.iterations) == 2
