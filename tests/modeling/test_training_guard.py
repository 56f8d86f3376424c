"""Warnings of trainings that leave another sparsity than was asked for."""

import keras
import numpy as np
import pytest
from keras import layers as kl

import rigl_tf
from rigl_tf.sparsity import schedules


def model(interval=2, **kwargs):
    network = keras.Sequential(
        [keras.Input((16,)), kl.Dense(24, activation="relu"), kl.Dense(3)]
    )
    sparse = rigl_tf.sparsify(
        network,
        "gradual_pruning",
        sparsity=0.9,
        schedule=schedules.UpdateSchedule(interval, **kwargs),
    )
    sparse.compile("adam", "mse", run_eagerly=True)
    return sparse


def data(num=32):
    rng = np.random.default_rng(0)
    return rng.normal(size=(num, 16)), rng.normal(size=(num, 3))


def test_epochs_that_are_not_run_do_not_count():
    pruned = model()

    pruned.fit(*data(), batch_size=4, epochs=4, initial_epoch=2, verbose=0)

    assert pruned.schedule.end_step == 12  # of 16 steps
    assert rigl_tf.summary(pruned).sparsity == pytest.approx(0.9, abs=4e-3)


class Stop(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = True


def test_a_training_that_ends_early_says_which_sparsity_it_has_reached():
    pruned = model()

    with pytest.warns(
        UserWarning, match="ended at step 8 .* instead of 0.8969"
    ):
        pruned.fit(
            *data(), batch_size=4, epochs=50, verbose=0, callbacks=[Stop()]
        )


class PutBack(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0:
            self.weights = self.model.get_weights()

    def on_train_end(self, logs=None):
        self.model.set_weights(self.weights)


def test_weights_of_another_epoch_are_named_with_what_to_do():
    pruned = model()

    with pytest.warns(UserWarning, match="has restored.*start_from_epoch"):
        pruned.fit(
            *data(), batch_size=4, epochs=6, verbose=0, callbacks=[PutBack()]
        )


def test_a_loss_scale_that_a_bad_example_brings_down_is_warned_of():
    network = keras.Sequential(
        [keras.Input((16,)), kl.Dense(24, activation="relu"), kl.Dense(3)]
    )
    sparse = rigl_tf.sparsify(network, "static", sparsity=0.5)
    optimizer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.Adam(), initial_scale=2.0
    )
    sparse.compile(optimizer, "mse", run_eagerly=True)
    x, y = data()
    x[7] = np.nan

    with pytest.warns(UserWarning, match="1 of 8 .*skipped") as caught:
        sparse.fit(x, y, batch_size=4, epochs=3, verbose=0)

    # After the first epoch, it is 1: an overflow may have done that.
    second, third = (str(warning.message) for warning in caught)
    assert "In epoch 2," in second and "loss scale, which is 0.5." in second
    assert "In epoch 3," in third and "loss scale, which is 0.25." in third


@pytest.mark.parametrize(
    "falling",
    [
        schedules.PolynomialSparsity(0.3, 0.9, allow_decrease=True),
        lambda step: (step % 2 == 0, max(0.9 - 0.001 * step, 0.3)),
    ],
    ids=["ours", "any callable"],
)
def test_a_schedule_that_falls_is_refused(falling):
    with pytest.raises(ValueError, match="grows no connections"):
        rigl_tf.sparsify(model().network, "gradual_pruning", sparsity=falling)
