"""Different ways to train the same small network on the same batches."""

import keras
import numpy as np
import tensorflow as tf

import rigl_tf
from rigl_tf import algorithms
from rigl_tf.modeling import sparse_wrapper
from rigl_tf.sparsity import schedules

NUM_STEPS = 5
BATCH_SIZE = 10
# At the default threshold, DSR would drop nothing in so few steps.
HYPERPARAMETERS = {"dsr": {"threshold": 0.05}}
# Updates at steps 2 and 4; steps 0, 1 and 3 are ordinary.
SCHEDULE = schedules.UpdateSchedule(2, end_step=5)
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class OwnTrainStep(keras.Model):
    """Has a `train_step` that changes the data and calls that of Keras."""

    def train_step(self, data):
        x, y = data
        return super().train_step((tf.identity(x), y))


class HandWrittenTrainStep(keras.Model):
    """Has a `train_step` that calls nothing of Keras's."""

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = LOSS(y, self(x, training=True)) + sum(self.losses)
            scaled = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, self.trainable_variables)
        self.optimizer.apply_gradients(
            zip(gradients, self.trainable_variables, strict=True)
        )
        return {"loss": loss}


def network(kind=keras.Model, l2=0.01):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((16,))
    x = keras.layers.Dense(12, activation="relu", name="first")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    decay = keras.regularizers.L2(l2) if l2 else None
    outputs = keras.layers.Dense(3, kernel_regularizer=decay, name="last")(x)
    return kind(inputs, outputs)


def batches(num_steps=NUM_STEPS):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(num_steps, BATCH_SIZE, 16)).astype("float32")
    y = rng.integers(0, 3, size=(num_steps, BATCH_SIZE)).astype("int32")
    return x, y


def dataset():
    return tf.data.Dataset.from_tensor_slices(batches())


def options(algorithm):
    return {
        "algorithm": algorithms.get(
            algorithm, **HYPERPARAMETERS.get(algorithm, {})
        ),
        "sparsity": 0.6,
        "schedule": SCHEDULE,
        "seed": 3,
    }


def optimizer():
    return keras.optimizers.SGD(0.1, momentum=0.9)


def sparse(algorithm, kind=keras.Model, l2=0.01):
    """A sparse model, compiled to run eagerly."""
    return compiled(rigl_tf.sparsify(network(kind, l2), **options(algorithm)))


def compiled(model):
    model.compile(optimizer(), LOSS, run_eagerly=True)
    return model


def fit(algorithm, kind=keras.Model, l2=0.01):
    """`SparseModel.fit`, with the train step of the network's class."""
    model = sparse(algorithm, kind, l2)
    model.fit(dataset(), shuffle=False, verbose=0)
    return model


def step(model, x, y):
    """One step of a loop."""
    num_replicas = tf.distribute.get_strategy().num_replicas_in_sync
    with tf.GradientTape() as tape:
        # Keras divides its losses by the number of replicas itself.
        loss = LOSS(y, model(x, training=True))
        loss += sum(model.losses) / num_replicas
        loss = model.optimizer.scale_loss(loss)
    gradients = tape.gradient(loss, model.trainable_variables)
    model.apply_gradients(
        zip(gradients, model.trainable_variables, strict=True)
    )


def loop(algorithm, function=lambda step: step, l2=0.01):
    """`GradientTape` and `apply_gradients`."""
    model = sparse(algorithm, l2=l2)

    @function
    def train(x, y):
        step(model, x, y)

    for x, y in dataset():
        train(x, y)
    return model


def graph_loop(algorithm):
    return loop(algorithm, tf.function)


def distill(algorithm):
    """A `Distiller` whose teacher has no say."""
    student = rigl_tf.sparsify(network(l2=None), **options(algorithm))
    distiller = keras.distillation.Distiller(
        network(),
        student,
        keras.distillation.LogitsDistillation(),
        student_loss_weight=1.0,
    )
    distiller.compile(
        rigl_tf.SparseOptimizer(optimizer(), student), LOSS, run_eagerly=True
    )
    distiller.fit(dataset(), shuffle=False, verbose=0)
    return student


def callback(algorithm, kind=keras.Model, l2=0.01):
    """Plain `fit` with `SparseTraining`, in place."""
    model = compiled(network(kind, l2))
    training = rigl_tf.SparseTraining(**options(algorithm))
    model.fit(dataset(), shuffle=False, verbose=0, callbacks=[training])
    return model


def kernels(model):
    return sparse_wrapper.sparse_kernels(model)


def masks(model):
    return [np.asarray(kernel.mask) for kernel in kernels(model)]


def weights(model):
    """The values of the trained weights, in the order of the model."""
    network = getattr(model, "network", model)
    return [np.asarray(v) for v in network.trainable_variables]


def assert_same(model, other, atol=1e-6):
    for mask, expected in zip(masks(model), masks(other), strict=True):
        np.testing.assert_array_equal(mask, expected)
    for values, expected in zip(weights(model), weights(other), strict=True):
        np.testing.assert_allclose(values, expected, rtol=0, atol=atol)
