"""Models that are built in unusual ways."""

import keras
from keras import layers as kl
from keras import ops

from tests.modeling.model_builders import relu


@keras.saving.register_keras_serializable(package="tests")
class Transposed(kl.Layer):
    """Computes with the transposed kernel of another layer."""

    def __init__(self, tied, **kwargs):
        super().__init__(**kwargs)
        self.tied = tied

    def build(self, input_shape):
        self.bias = self.add_weight(
            shape=(self.tied.kernel.shape[0],), name="bias"
        )

    def call(self, x):
        return ops.matmul(x, ops.transpose(self.tied.kernel)) + self.bias

    def get_config(self):
        tied = keras.saving.serialize_keras_object(self.tied)
        return super().get_config() | {"tied": tied}

    @classmethod
    def from_config(cls, config):
        tied = keras.saving.deserialize_keras_object(config.pop("tied"))
        return cls(tied, **config)


@keras.saving.register_keras_serializable(package="tests")
class Subclassed(keras.Model):
    """A model with layers in attributes, lists and dictionaries."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = kl.Dense(5, activation=relu)
        self.blocks = [kl.Dense(5), kl.BatchNormalization(), kl.Dense(4)]
        self.heads = {"a": kl.Dense(2), "b": kl.Dense(3)}

    def call(self, inputs, training=None):
        x = self.first(inputs)
        for block in self.blocks:
            x = block(x)
        return {name: head(x) for name, head in self.heads.items()}


@keras.saving.register_keras_serializable(package="tests")
class FunctionalClass(keras.Model):
    """A class of a user's own around a functional model."""

    def __init__(self, width=5, **kwargs):
        inputs = keras.Input((4,))
        x = kl.Dense(width, activation=relu)(inputs)
        super().__init__(inputs, kl.Dense(3)(x), **kwargs)
        self.width = width

    def get_config(self):
        return {"width": self.width, "name": self.name}


@keras.saving.register_keras_serializable(package="tests")
class Block(kl.Layer):
    """A layer made of layers."""

    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.norm = kl.LayerNormalization()
        self.body = keras.Sequential(
            [kl.Dense(width, activation=relu), kl.Dense(4)]
        )

    def build(self, input_shape):
        self.norm.build(input_shape)
        self.body.build(input_shape)

    def call(self, x):
        return x + self.body(self.norm(x))

    def get_config(self):
        return super().get_config() | {"width": self.width}


def tied_autoencoder():
    inputs = keras.Input((4,))
    encoder = kl.Dense(3, activation=relu)
    return keras.Model(inputs, Transposed(encoder)(encoder(inputs)))


def tied_before_its_kernel_is_used():
    """The decoder stands in the graph before the layer that it is tied to."""
    inputs = keras.Input((4,))
    encoder = kl.Dense(4, name="z")
    encoder.build((None, 4))
    return keras.Model(inputs, encoder(Transposed(encoder)(inputs)))


def tied_embedding():
    inputs = keras.Input((4,))
    embedding = kl.ReversibleEmbedding(4, 4)
    x = kl.Dense(4)(kl.Dense(4, activation="relu")(inputs))
    return keras.Model(inputs, embedding(x, reverse=True))


def nested_and_called_twice():
    """Models inside models, called twice."""
    innermost = keras.Sequential([keras.Input((4,)), kl.Dense(4)])
    inner_inputs = keras.Input((4,))
    x = kl.BatchNormalization()(innermost(innermost(inner_inputs)))
    inner = keras.Model(inner_inputs, kl.Dense(4, activation=relu)(x))
    inputs = keras.Input((4,))
    return keras.Model(inputs, kl.Dense(3)(inner(inner(inputs))))


def shared_by_nested_models():
    """A model inside two others, one of which is inside the other."""
    inner = keras.Sequential(
        [keras.Input((4,)), kl.Dense(4, activation=relu)], name="inner"
    )
    middle_inputs = keras.Input((4,))
    x = kl.BatchNormalization()(inner(middle_inputs))
    middle = keras.Model(middle_inputs, kl.Dense(4)(x), name="middle")
    inputs = keras.Input((4,))
    x = middle(inner(middle(inputs)))
    return keras.Model(inputs, kl.Dense(3)(x))


def used_twice():
    inputs = keras.Input((4,))
    dense = kl.Dense(4, activation=relu)
    return keras.Model(inputs, kl.Add()([dense(dense(inputs)), inputs]))


def two_layers_of_one_name():
    inputs = keras.Input((4,))
    inner = keras.Sequential([keras.Input((4,)), kl.Dense(4, name="same")])
    return keras.Model(inputs, kl.Dense(4, name="same")(inner(inputs)))


def operations():
    inputs = keras.Input((4,))
    x = ops.tanh(kl.Dense(4)(inputs * 2.0 - 1.0))
    y, z = ops.split(kl.Dense(4)(x), 2, axis=-1)
    return keras.Model(inputs, ops.concatenate([z, y * z], axis=-1))


def frozen():
    model = keras.Sequential(
        [
            keras.Input((4,)),
            kl.Dense(5, activation=relu, name="frozen"),
            kl.BatchNormalization(name="norm"),
            kl.Dense(3),
        ]
    )
    model.get_layer("frozen").trainable = False
    model.get_layer("norm").trainable = False
    return model


def blocks():
    inputs = keras.Input((4,))
    return keras.Model(inputs, kl.Dense(3)(Block(5)(Block(6)(inputs))))


def over_time():
    inputs = keras.Input((4,))
    x = kl.Reshape((2, 2))(inputs)
    inner = keras.Sequential(
        [
            keras.Input((2,)),
            keras.Sequential([kl.Dense(5, activation=relu)]),
            kl.Dense(2),
        ]
    )
    x = kl.TimeDistributed(kl.TimeDistributed(inner))(x[:, :, None])
    return keras.Model(inputs, kl.Dense(3)(kl.Flatten()(x)))


def without_input():
    model = keras.Sequential([kl.Dense(5, activation=relu), kl.Dense(3)])
    model.build((None, 4))
    return model


def mixed_precision():
    inputs = keras.Input((4,))
    x = kl.Dense(5, dtype="mixed_bfloat16")(inputs)
    x = kl.LayerNormalization(dtype="float32")(x)
    return keras.Model(inputs, kl.Dense(3, dtype="float64")(x))


STRUCTURES = [
    tied_autoencoder,
    tied_embedding,
    nested_and_called_twice,
    used_twice,
    two_layers_of_one_name,
    operations,
    frozen,
    blocks,
    over_time,
    without_input,
    mixed_precision,
    FunctionalClass,
]
NOT_SAVED = [tied_before_its_kernel_is_used, shared_by_nested_models]
