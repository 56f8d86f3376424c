"""What an update of the masks needs beyond an ordinary step."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import rigl_tf
from rigl_tf import algorithms
from rigl_tf.sparsity import masks

MEMORY = tf.config.experimental
WIDTH = 2048
COPY = 4 * WIDTH * WIDTH  # bytes of a float32 kernel


@pytest.fixture(autouse=True)
def a_device_that_counts():
    try:
        MEMORY.reset_memory_stats("CPU:0")
    except ValueError as error:  # TensorFlow without oneDNN
        pytest.skip(str(error))


def peak_above(held):
    return (MEMORY.get_memory_info("CPU:0")["peak"] - held) / COPY


def reset():
    MEMORY.reset_memory_stats("CPU:0")
    return MEMORY.get_memory_info("CPU:0")["current"]


class Peaks(keras.callbacks.Callback):
    """Collects the peak of every step, of updates and of others."""

    def on_train_begin(self, logs=None):
        self.of_update, self.of_others = [], []

    def on_train_batch_begin(self, batch, logs=None):
        self.due = bool(self.model.schedule(int(self.model.step)))
        self.held = reset()

    def on_train_batch_end(self, batch, logs=None):
        if batch:  # the first traces
            peaks = self.of_update if self.due else self.of_others
            peaks.append(peak_above(self.held))


@pytest.mark.few(1)
@pytest.mark.parametrize(
    "algorithm",
    [
        algorithms.RigL(),
        algorithms.RigLSG(),
        algorithms.SET(),
        algorithms.DSR(),
        algorithms.GGR(),
        algorithms.GradualPruning("global"),
    ],
    ids=str,
)
def test_an_update_needs_four_copies_of_a_kernel_not_of_the_model(algorithm):
    dense = [keras.layers.Dense(WIDTH, use_bias=False) for _ in range(4)]
    model = rigl_tf.sparsify(
        keras.Sequential([keras.Input((WIDTH,)), *dense]),
        algorithm,
        sparsity=0.9,
        schedule=rigl_tf.schedules.UpdateSchedule(2, end_step=9),
    )
    model.compile("sgd", "mse")
    x = np.ones((10, WIDTH), "float32")
    peaks = Peaks()

    model.fit(x, x, batch_size=1, verbose=0, callbacks=[peaks])

    assert len(peaks.of_update) == 4
    # The smallest, because on a busy machine threads hold more for a moment.
    assert min(peaks.of_update) <= max(peaks.of_others) + 4


def test_dropping_and_growing_needs_four_copies_of_the_scores():
    scores = tf.random.stateless_normal([WIDTH, WIDTH], (0, 1))
    mask = masks.random_mask((WIDTH, WIDTH), 1000, 0)
    move = tf.function(masks.drop_and_grow, autograph=False)
    move(mask, scores, scores, 9, 9)
    held = reset()

    move(mask, scores, scores, 9, 9)

    assert peak_above(held) <= 4
