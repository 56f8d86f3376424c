"""Networks that exercise what `sparsify` must handle."""

import keras
from keras import layers as kl


def sequential():
    return keras.Sequential(
        [
            keras.Input((16,)),
            kl.Dense(24, activation="relu"),
            kl.Dense(12, activation="relu"),
            kl.Dense(2),
        ]
    )


def functional():
    """A residual branch, a shared layer and normalization."""
    inputs = keras.Input((16,))
    shared = kl.Dense(16, activation="relu", name="shared")
    x = shared(inputs)
    x = kl.BatchNormalization()(x)
    x = kl.Add()([inputs, shared(x)])
    return keras.Model(inputs, kl.Dense(2)(x))


def nested():
    block = keras.Sequential(
        [keras.Input((16,)), kl.Dense(16, activation="relu")], name="block"
    )
    inputs = keras.Input((16,))
    return keras.Model(inputs, kl.Dense(2)(block(inputs)))


def attention():
    inputs = keras.Input((16,))
    x = kl.Reshape((4, 4))(inputs)
    x = kl.MultiHeadAttention(2, 3)(x, x)
    return keras.Model(inputs, kl.Dense(2)(kl.Flatten()(x)))


def recurrent():
    inputs = keras.Input((16,))
    x = kl.Reshape((4, 4))(inputs)
    x = kl.GRU(6)(x)
    return keras.Model(inputs, kl.Dense(2)(x))


def convolutional():
    inputs = keras.Input((16,))
    x = kl.Reshape((4, 4, 1))(inputs)
    x = kl.Conv2D(8, 3, padding="same", activation="relu")(x)
    x = kl.DepthwiseConv2D(3, padding="same")(x)
    x = kl.SeparableConv2D(8, 3)(x)
    x = kl.Conv2DTranspose(4, 2)(x)
    return keras.Model(inputs, kl.Dense(2)(kl.Flatten()(x)))


NETWORKS = {
    function.__name__: function
    for function in (
        sequential,
        functional,
        nested,
        attention,
        recurrent,
        convolutional,
    )
}
