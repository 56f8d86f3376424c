"""Compares two replicas with one device, in a process of their own."""

import sys

import keras
import numpy as np
import tensorflow as tf

import rigl_tf
from rigl_tf import algorithms
from rigl_tf.sparsity import schedules
from rigl_tf.utils.tensors import as_array

# Of the third batch, an update, the second replica has no example.
BATCHES = [5, 5, 1, 4, 3]
ALGORITHMS = [
    algorithms.RigL(),
    # Noise and the L1 term are as large as the gradients.
    algorithms.DeepR(l1=0.1, temperature=0.1),
]


def trained(algorithm, strategy, **kwargs):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        inputs = keras.Input((8,))
        x = keras.layers.Dense(10, activation="relu")(inputs)
        x = keras.layers.Dense(3, kernel_regularizer="l2")(x)
        # Only its average is compared, and nothing depends on it: a replica
        # normalizes by the mean of its own examples.
        mean = keras.layers.BatchNormalization()
        mean = keras.layers.Dense(3, trainable=False)(mean(inputs))
        outputs = x + keras.layers.Rescaling(0.0)(mean)
        model = rigl_tf.sparsify(
            keras.Model(inputs, outputs),
            algorithm,
            sparsity=0.6,
            schedule=schedules.UpdateSchedule(2, end_step=5),
        )
        model.compile(
            keras.optimizers.SGD(0.1, momentum=0.9),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            **kwargs,
        )
    rng = np.random.default_rng(0)
    batches = [
        (rng.normal(1, 1, (num, 8)).astype("float32"), rng.integers(0, 3, num))
        for num in BATCHES
    ]
    data = tf.data.Dataset.from_generator(
        lambda: batches,
        output_signature=(
            tf.TensorSpec([None, 8]),
            tf.TensorSpec([None], tf.int64),
        ),
    )
    model.fit(data, verbose=0)
    return model


def check_like_one(model, alone):
    for kernel, other in zip(model.kernels, alone.kernels, strict=True):
        np.testing.assert_array_equal(
            as_array(kernel.mask), as_array(other.mask)
        )
    for variable, other in zip(model.variables, alone.variables, strict=True):
        if "moving_variance" in variable.path:
            continue  # around the mean of a replica
        for copy in variable.value.values:
            np.testing.assert_allclose(
                as_array(copy), as_array(other), atol=1e-5, err_msg=other.path
            )


def main():
    # Graphs that run for a few steps are not worth optimizing.
    tf.config.optimizer.set_experimental_options(
        {"disable_meta_optimizer": True}
    )
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )
    two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    for algorithm in ALGORITHMS:
        model = trained(algorithm, two)
        one = tf.distribute.get_strategy()
        alone = trained(algorithm, one, run_eagerly=True)
        check_like_one(model, alone)
        if not int(alone.num_changed):
            sys.exit("Nothing has moved.")


if __name__ == "__main__":
    main()
