"""Small networks and data for the tests of tickets."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from rigl_tf import datasets
from rigl_tf.training.trainer import Trainer

# The kernels of ResNet-20 as in Rare Gems: 268,336 weights.
RESNET20 = [432, *[2304] * 6, 4608, *[9216] * 5, 18432, *[36864] * 5, 640]


def network(inputs=4, classes=3):
    """Two hidden layers and dropout, compiled."""
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((inputs,)),
            keras.layers.Dense(12, activation="relu", name="first"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(8, activation="relu", name="second"),
            keras.layers.Dense(classes, name="last"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def dataset(num=96, inputs=4, classes=3, batch_size=16):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(num, inputs))
    y = np.argmax(x[:, :classes], axis=1)
    third = num // 3
    return datasets.from_arrays(
        "largest",
        train=(x[third:], y[third:]),
        validation=(x[:third:2], y[:third:2]),
        test=(x[1:third:2], y[1:third:2]),
        num_classes=classes,
        batch_size=batch_size,
    )


def make_trainer(model, data, epochs=4, seed=0, **kwargs):
    """Training of a model, silent."""
    made = Trainer.from_model(model, data, seed)
    return dataclasses.replace(made, epochs=epochs, verbose=0, **kwargs)


def given(x, y):
    """A `Dataset` whose every batch is the same, labels of any kind."""
    y = np.asarray(y)
    labels = tf.constant(y, "float32" if y.dtype.kind == "f" else None)
    batch = (tf.constant(x, tf.float32), labels)
    batches = tf.data.Dataset.from_tensors(batch).repeat()
    return datasets.Dataset(
        name="given",
        input_shape=tuple(batch[0].shape[1:]),
        num_classes=2,
        num_train=100 * len(x),
        batch_size=len(x),
        train=lambda seed, epoch=0, batch=0: batches,
        validation=None,
        test=batches.take(1),
    )


def linear(*matrices, loss=None, activation=None):
    """Dense layers without biases that have these kernels."""
    model = keras.Sequential([keras.Input((len(matrices[0]),))])
    for i, matrix in enumerate(matrices):
        last = i == len(matrices) - 1
        model.add(
            keras.layers.Dense(
                len(matrix[0]),
                use_bias=False,
                activation=None if last else activation,
                name=f"w{i + 1}",
            )
        )
    model.set_weights([np.array(m, np.float32) for m in matrices])
    if loss is not None:
        model.compile("sgd", loss)
    return model
