"""Functions that build small models around one layer, with Dense layers."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers as kl
from keras import ops

SEQUENCE = (6, 4)
IMAGE = (8, 8, 3)
VOLUME = (4, 4, 4, 2)
WORDS = np.array([["red green"], ["green green blue"], ["grey red red"]])


@keras.saving.register_keras_serializable(package="tests")
def relu(x):
    """A function of the user's with a name that Keras has, too."""
    return ops.maximum(x, -0.25) * 1.5


@keras.saving.register_keras_serializable(package="tests")
class Scaled:
    """A function with a value, as an object that can be saved."""

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, x):
        return ops.tanh(x) * self.factor

    def get_config(self):
        return {"factor": self.factor}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@keras.saving.register_keras_serializable(package="tests")
def halved(weight):
    """A constraint that is a function."""
    return weight / 2


@keras.saving.register_keras_serializable(package="tests")
def penalty(weight):
    """A regularizer that is a function."""
    return ops.sum(ops.square(weight))


@keras.saving.register_keras_serializable(package="tests")
def shout(text):
    """A standardization of text."""
    return tf.strings.upper(text)


def floats(shape, batch=3):
    rng = np.random.default_rng(1)
    return rng.uniform(size=(batch, *shape)).astype("float32")


def integers(*shape):
    return np.random.default_rng(2).integers(1, 6, size=shape)


def as_input(values):
    """A tensor of an array of numbers or strings."""
    dtype = "string" if values.dtype.kind == "U" else values.dtype.name
    return ops.convert_to_tensor(values.tolist(), dtype=dtype)


def scramble(model):
    """Gives all weights values that no new model has."""
    rng = np.random.default_rng(3)
    for layer in model._flatten_layers(include_self=False):
        # The statistics of this one are adapted.
        if not isinstance(layer, kl.Normalization):
            for weight in layer._trainable_variables:
                weight.assign(rng.uniform(-0.7, 0.8, weight.shape))
            for weight in layer._non_trainable_variables:
                if keras.backend.is_float_dtype(weight.dtype):
                    weight.assign(rng.uniform(0.5, 1.5, weight.shape))


def between(make, shape=SEQUENCE, attends=False):
    """A function that builds a model with a layer between two Dense ones."""

    def build():
        inputs = keras.Input(shape)
        x = kl.Dense(shape[-1], activation="sigmoid")(inputs)
        x = make()(x, x) if attends else make()(x)
        model = keras.Model(inputs, kl.Dense(3)(kl.Flatten()(x)))
        scramble(model)
        return model, floats(shape)

    return build


def first(make, values, depth=None):
    """A function that builds a model whose first layer takes the data."""

    def build():
        layer = make()
        is_text = values.dtype.kind == "U"
        inputs = keras.Input(
            values.shape[1:], dtype="string" if is_text else values.dtype.name
        )
        x = layer(inputs)
        if depth is not None:
            x = kl.Embedding(depth, 4)(x)
        x = kl.Dense(5, activation="relu")(kl.Flatten()(x))
        model = keras.Model(inputs, kl.Dense(3)(x))
        scramble(model)
        return model, as_input(values)

    return build


def adapted(layer, values):
    layer.adapt(as_input(values))
    return layer


def reversible():
    inputs = keras.Input((5,), dtype="int32")
    embedding = kl.ReversibleEmbedding(7, 4)
    x = kl.Dense(4, activation="relu")(embedding(inputs))
    model = keras.Model(inputs, embedding(x, reverse=True))
    scramble(model)
    return model, integers(3, 5)


def attention(kind, **kwargs):
    """A function that builds a model around attention without kernels."""

    def build():
        inputs = keras.Input(SEQUENCE)
        query = kl.Dense(4)(inputs)
        x = kind(**kwargs)([query, kl.Dense(4)(inputs)])
        model = keras.Model(inputs, kl.Dense(3)(x))
        scramble(model)
        return model, floats(SEQUENCE)

    return build


def masking():
    inputs = keras.Input(SEQUENCE)
    x = kl.LSTM(3)(kl.Dense(4)(kl.Masking()(inputs)))
    model = keras.Model(inputs, kl.Dense(3)(x))
    scramble(model)
    x = floats(SEQUENCE)
    x[:, 2:4] = 0
    return model, x


def crossing():
    inputs = [keras.Input((1,), dtype="int64") for _ in range(2)]
    x = kl.HashedCrossing(11, output_mode="one_hot")(inputs)
    model = keras.Model(inputs, kl.Dense(3)(kl.Dense(5)(x)))
    scramble(model)
    return model, [integers(3, 1), integers(3, 1) + 1]


def recurrent(kind, **kwargs):
    return between(lambda: kind(5, activation=relu, **kwargs))


def cells(*makes):
    """A recurrent layer of cells, stacked if there are several."""

    def make():
        made = [make() for make in makes]
        return kl.RNN(made if len(made) > 1 else made[0])

    return between(make)


def sequences(kind, *args, **kwargs):
    return between(lambda: kind(*args, **kwargs), SEQUENCE)


def images(kind, *args, **kwargs):
    return between(lambda: kind(*args, **kwargs), IMAGE)


def volumes(kind, *args, **kwargs):
    return between(lambda: kind(*args, **kwargs), VOLUME)
