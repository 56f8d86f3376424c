"""Copies that `sparsify` makes if it is asked to."""

import functools

import keras
import numpy as np
import pytest
from keras import layers as kl
from keras import ops

import rigl_tf
from rigl_tf import algorithms
from tests.modeling import keras_layers
from tests.modeling.comparing import check_equal
from tests.modeling.comparing import outputs
from tests.modeling.model_builders import floats
from tests.modeling.model_builders import relu as registered_relu
from tests.modeling.structures import tied_autoencoder

STATIC = algorithms.Static()


def copied(model, **kwargs):
    return rigl_tf.sparsify(model, STATIC, sparsity=0, copy=True, **kwargs)


def stack(*layers):
    return keras.Sequential([keras.Input((4,)), *layers, kl.Dense(3)])


def check_is_copied(model, x):
    before = outputs(model, x)
    variables = {id(variable) for variable in model.variables}

    sparse = copied(model)

    check_equal(outputs(sparse, x), before)
    dense = rigl_tf.densify(sparse)
    assert dense is not model
    assert type(dense) is type(model)
    check_equal(outputs(dense, x), before)
    assert variables.isdisjoint(id(v) for v in sparse.variables)
    for variable in sparse.trainable_variables:
        variable.assign(variable + 1)
    check_equal(outputs(model, x), before)


# The ones whose functions or state a copy could lose.
CASES = [
    "Activation",
    "BatchNormalization",
    "Bidirectional",
    "Dense",
    "Dense, with a callable object",
    "Dense, with functions of the user's everywhere",
    "Discretization",
    "GRUCell",
    "Lambda",
    "Layers that augment images",
    "Masking",
    "MultiHeadAttention",
    "Normalization",
    "ReversibleEmbedding",
    "SpectralNormalization",
    "StackedRNNCells",
    "StringLookup",
    "TextVectorization",
    "TimeDistributed, of a model",
]


@pytest.mark.few(5)
@pytest.mark.parametrize("case", CASES)
def test_a_copy_keeps_everything_and_shares_nothing(case):
    check_is_copied(*keras_layers.made(case))


def test_a_copy_leaves_the_model_as_it_was():
    model = stack(kl.Dense(5))
    model.compile("adam", loss="mse")
    layers = model._flatten_layers()

    sparse = copied(model)

    assert model.compiled and not sparse.compiled
    assert list(map(id, model._flatten_layers())) == list(map(id, layers))
    assert model.layers[0].kernel.constraint is None
    assert not {id(layer) for layer in sparse.network.layers} & {
        id(layer) for layer in layers
    }


def test_a_copy_keeps_what_is_trainable():
    model = stack(kl.Dense(5, name="frozen"))
    model.get_layer("frozen").trainable = False

    sparse = copied(model)

    assert not sparse.get_layer("frozen").trainable
    assert len(sparse.kernels) == 1


@pytest.mark.parametrize("kind", [kl.LSTM, kl.GRU])
def test_a_copy_keeps_random_and_recurrent_states(kind):
    inputs = keras.Input(batch_shape=(3, 6, 4))
    x = kl.Dropout(0.5)(kind(50, stateful=True)(inputs))
    model = keras.Model(inputs, kl.Dense(2)(x))
    x = floats((6, 4))
    model(x, training=True)

    sparse = copied(model)

    for _ in range(2):
        np.testing.assert_array_equal(
            sparse(x, training=True), model(x, training=True)
        )


def relu(x):
    """A function of the user's that has the name of one of Keras's."""
    return ops.maximum(x, -1.0) * 2


def own(x):
    return ops.maximum(x, -1.0) * 2


def own_callable(factor=2.0):
    class Own:
        def __call__(self, x):
            return x * factor

    return Own()


REFUSED = {
    "a function with the name of Keras's": lambda: kl.Dense(
        5, activation=relu, name="mine"
    ),
    "a function that is not registered": lambda: kl.Dense(
        5, activation=own, name="mine"
    ),
    "a lambda": lambda: kl.Dense(
        5, activation=lambda x: ops.maximum(x, -1.0), name="mine"
    ),
    "a partial": lambda: kl.Dense(
        5, activation=functools.partial(registered_relu), name="mine"
    ),
    "an object that can be called": lambda: kl.Dense(
        5, activation=own_callable(), name="mine"
    ),
    "a function in a cell": lambda: kl.TimeDistributed(
        kl.Dense(5, activation=relu), name="mine"
    ),
    "a regularizer": lambda: kl.Dense(
        5, kernel_regularizer=lambda w: ops.sum(w), name="mine"
    ),
    "a constraint": lambda: kl.Dense(
        5, kernel_constraint=lambda w: w / 2, name="mine"
    ),
    "a function of a Lambda": lambda: kl.Lambda(own, name="mine"),
    "a closure": lambda: kl.Lambda(
        (lambda factor: lambda x: x * factor)(3.0), name="mine"
    ),
    "a recurrent function": lambda: keras.Sequential(
        [kl.Reshape((2, 2)), kl.LSTM(3, recurrent_activation=relu)],
        name="mine",
    ),
}
if keras.__version__ < "3.15":  # which takes no function there
    del REFUSED["a regularizer"], REFUSED["a constraint"]


@pytest.mark.few(8)
@pytest.mark.parametrize("case", REFUSED)
def test_a_copy_that_would_lose_a_function_is_refused_by_name(case):
    layer = REFUSED[case]()
    if isinstance(layer, kl.TimeDistributed):
        model = keras.Sequential([keras.Input((2, 4)), layer, kl.Dense(3)])
    else:
        model = stack(layer)

    with pytest.raises(ValueError, match=r"the function '\w+' of 'mine"):
        copied(model)

    # The model is as it was.
    assert rigl_tf.sparsify(model, STATIC, sparsity=0).kernels


@keras.saving.register_keras_serializable(package="tests")
class Tied(kl.Layer):
    """Computes with a weight of another layer, which its file does not say."""

    def __init__(self, width, weight=None, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.weight = weight

    def build(self, input_shape):
        if self.weight is None:
            self.weight = self.add_weight(shape=(self.width, input_shape[-1]))

    def call(self, x):
        return ops.matmul(x, ops.transpose(self.weight))

    def get_config(self):
        return super().get_config() | {"width": self.width}


def test_a_copy_that_would_lose_a_tie_is_refused_by_name():
    inputs = keras.Input((4,))
    encoder = kl.Dense(3, name="encoder")
    code = encoder(inputs)
    model = keras.Model(inputs, Tied(4, encoder.kernel)(code))

    with pytest.raises(ValueError, match="loses shared weights"):
        copied(model)


def test_a_copy_keeps_a_tie_that_keras_saves():
    model = tied_autoencoder()

    check_is_copied(model, floats((4,)))


def test_a_copy_that_would_lose_the_class_is_refused_by_name():
    class Own(keras.Model):
        pass

    inputs = keras.Input((4,))
    model = Own(inputs, kl.Dense(3)(inputs))

    with pytest.raises(ValueError, match="Own"):
        copied(model)


def test_a_copy_of_a_sparse_part_is_refused_or_keeps_its_masks():
    inner = rigl_tf.sparsify(stack(kl.Dense(5)), "rigl", sparsity=0.5)
    inputs = keras.Input((4,))
    model = keras.Model(inputs, kl.Dense(2)(inner(inputs)))
    x = floats((4,))
    before = outputs(model, x)

    with pytest.warns(UserWarning, match="had masks already"):
        sparse = copied(model)

    check_equal(outputs(sparse, x), before)
    for kernel in inner.kernels:
        assert not np.asarray(kernel.mask).all()
