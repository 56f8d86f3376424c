"""What the monitor says of masks, checked against the masks themselves."""

import keras
import numpy as np
import pytest

import rigl_tf
from rigl_tf.sparsity import schedules


class EveryMask(keras.callbacks.Callback):
    """Remembers the masks after every step."""

    def on_train_begin(self, logs=None):
        self.seen = [self.masks()]

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(self.masks())

    def masks(self):
        return np.concatenate(
            [np.ravel(kernel.mask) for kernel in self.model.kernels]
        )


@pytest.fixture(scope="module")
def watched():
    """The masks after every step of a run, its history and its monitor."""
    keras.utils.set_random_seed(0)
    model = rigl_tf.sparsify(
        keras.Sequential(
            [
                keras.Input((16,)),
                keras.layers.Dense(12, activation="relu", name="first"),
                keras.layers.Dense(2, name="last"),
            ]
        ),
        rigl_tf.algorithms.SET(),
        sparsity=0.5,
        schedule=schedules.UpdateSchedule(3, end_step=100),
        drop_fraction=schedules.Constant(0.4),
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(True))
    monitor, every = rigl_tf.SparsityMonitor(), EveryMask()
    rng = np.random.default_rng(0)
    history = model.fit(
        rng.normal(size=(100, 16)),
        rng.integers(0, 2, 100),
        batch_size=10,
        epochs=3,
        verbose=0,
        callbacks=[monitor, every],
    )
    return np.array(every.seen), history.history, monitor, model


def test_changes_of_an_epoch_add_up_those_of_its_steps(watched):
    masks, history, _, _ = watched

    grown = np.sum(masks[1:] & ~masks[:-1], axis=1)

    np.testing.assert_array_equal(
        history["changed"], grown.reshape(3, 10).sum(axis=1)
    )
    # Due at steps 3, 6, 9, and so on, the first step being 0.
    assert history["updates"] == [3, 3, 3]
    assert sum(history["changed"]) > 0


def test_explored_is_what_was_active_after_any_step(watched):
    masks, history, _, _ = watched

    explored = [
        masks[: 10 * epoch + 1].any(axis=0).mean() for epoch in (1, 2, 3)
    ]

    np.testing.assert_allclose(history["explored"], explored)


def test_kept_is_the_overlap_with_the_first_mask(watched):
    masks, history, _, _ = watched

    kept = [np.sum(masks[0] & masks[i]) / masks[0].sum() for i in (10, 20, 30)]

    np.testing.assert_allclose(history["kept"], kept)


def test_kept_by_chance_is_what_random_masks_share(watched):
    masks, history, _, model = watched
    rng = np.random.default_rng(0)
    split = 16 * 12

    shared = []
    for _ in range(2000):
        drawn = [
            rng.permutation(part)
            for part in (masks[30][:split], masks[30][split:])
        ]
        shared.append(np.sum(np.concatenate(drawn) & masks[0]))

    np.testing.assert_allclose(
        history["kept_by_chance"][-1],
        np.mean(shared) / masks[0].sum(),
        rtol=0.01,
    )


def test_densities_are_those_of_the_last_epoch(watched):
    masks, _, monitor, _ = watched

    assert monitor.densities == {
        "first": masks[-1][:192].mean(),
        "last": masks[-1][192:].mean(),
    }


def test_a_monitor_goes_on_where_another_stopped(watched):
    masks, _, monitor, model = watched
    other = rigl_tf.SparsityMonitor()
    other.restore(monitor.state())

    later = model.fit(
        np.zeros((2, 16)), np.zeros(2), verbose=0, callbacks=[other]
    ).history

    now = np.concatenate([np.ravel(kernel.mask) for kernel in model.kernels])
    ever = masks.any(axis=0) | now
    np.testing.assert_allclose(later["explored"], [ever.mean()])
    np.testing.assert_allclose(
        later["kept"], [np.sum(masks[0] & now) / masks[0].sum()]
    )


def trained(monitor, callbacks=(), **kwargs):
    model = keras.Sequential([keras.Input((16,)), keras.layers.Dense(12)])
    if "algorithm" in kwargs:
        model = rigl_tf.sparsify(model, sparsity=0.5, **kwargs)
    model.compile("sgd", "mse", run_eagerly=True)
    return model.fit(
        np.ones((8, 16)),
        np.ones((8, 12)),
        batch_size=2,
        verbose=0,
        callbacks=[monitor, *callbacks],
    ).history


def test_a_monitor_starts_again_with_another_model():
    monitor = rigl_tf.SparsityMonitor()

    for seed in (0, 1):
        logs = trained(monitor, algorithm="static", seed=seed)

        # Masks that never move are the first ones.
        assert logs["kept"] == [1.0]
        assert logs["explored"] == [0.5]


def test_a_monitor_watches_a_model_that_is_made_sparse_in_place():
    training = rigl_tf.SparseTraining("set", sparsity=0.5, schedule=2)

    logs = trained(rigl_tf.SparsityMonitor(), [training])

    assert logs["sparsity"] == [0.5]
    assert logs["updates"] == [1]
    assert logs["changed"][0] > 0
