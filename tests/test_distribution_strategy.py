"""Two replicas in one process: the same masks, the same counts."""

import subprocess
import sys

SCRIPT = """
import keras
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2
)
import rigl_tf

rng = np.random.default_rng(0)
x = rng.normal(size=(160, 16)).astype("float32")
y = (x[:, 0] > 0).astype("int32")
bad = x.copy()
bad[95] = np.nan  # in the second replica's half of the third batch


def train(strategy, algorithm, x):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        network = keras.Sequential(
            [
                keras.Input((16,)),
                keras.layers.Dense(24, activation="relu"),
                keras.layers.BatchNormalization(),
                keras.layers.Dense(2),
            ]
        )
        model = rigl_tf.sparsify(
            network,
            rigl_tf.algorithms.get(algorithm),
            sparsity=0.7,
            schedule=rigl_tf.schedules.UpdateSchedule(2, end_step=99),
        )
        model.compile(
            keras.optimizers.SGD(0.05, momentum=0.9),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(32)
    model.fit(data, epochs=2, verbose=0)
    return model


mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
for algorithm in ("rigl", "set", "gradual_pruning"):
    model = train(mirrored, algorithm, bad)
    step, skipped, changed = [
        int(tf.convert_to_tensor(variable))
        for variable in (model.step, model.num_skipped, model.num_changed)
    ]
    assert (step, skipped) == (10, 2), (step, skipped)
    assert changed > 0 or algorithm == "gradual_pruning"
    for kernel in model.kernels:
        masks, weights = [
            [np.asarray(v) for v in variable.value.values]
            for variable in (kernel.mask, kernel.variable)
        ]
        np.testing.assert_array_equal(*masks)
        np.testing.assert_array_equal(*weights)
        assert np.all(np.isfinite(weights[0]))
        assert np.all(weights[0][~masks[0]] == 0)
print("replicas agree")
"""


def test_replicas_agree_and_skip_together():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert done.stdout.strip().endswith("replicas agree"), done.stderr[-3000:]
