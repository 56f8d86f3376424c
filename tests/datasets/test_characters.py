"""Texts."""

import os

import keras
import numpy as np
import pytest

import rigl_tf
from rigl_tf import datasets
from rigl_tf import models


def test_each_label_is_the_next_character(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("abcdefghij" * 20)
    data = datasets.characters(path, length=7, batch_size=2)
    assert (data.num_classes, data.input_shape) == (256, (7,))
    # 199 pairs of neighbours are 28 pieces of 7; 2 for testing.
    assert data.num_train == 24
    for batches in (data.train(0).take(12), data.validation, data.test):
        for x, y in batches:
            assert x.dtype == y.dtype == "int32"
            np.testing.assert_array_equal(x[:, 1:], y[:, :-1])
            text = "".join(map(chr, [*x[0].numpy(), y[0, -1].numpy()]))
            assert text in "abcdefghij" * 3


def test_splits_follow_one_another_in_the_text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(bytes(range(101)))
    data = datasets.characters(path, length=10, batch_size=1)
    (validation,) = [x.numpy().tolist() for x, _ in data.validation]
    (test,) = [x.numpy().tolist() for x, _ in data.test]
    assert validation == [list(range(80, 90))]
    assert test == [list(range(90, 100))]


def test_the_default_text_needs_no_network():
    data = datasets.characters(length=64)
    assert data.num_train > 1000
    x, _ = next(iter(data.test))
    text = bytes(x.numpy().astype(np.uint8).ravel()).decode(errors="ignore")
    assert " the " in text


def test_a_text_that_is_too_short_is_refused(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("abc")
    with pytest.raises(ValueError, match="3 characters.*length=128"):
        datasets.characters(path)
    with pytest.raises(FileNotFoundError):
        datasets.characters(tmp_path / "none.txt")


def test_a_sparse_gru_learns_a_text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("all work and no play makes jack a dull boy. " * 60)
    data = datasets.characters(path, length=20)
    keras.utils.set_random_seed(0)
    network = models.gru(data.input_shape, 256, 8, 16, (12,))
    model = rigl_tf.sparsify(
        network,
        rigl_tf.algorithms.RigL(),
        sparsity=0.5,
        schedule=rigl_tf.schedules.UpdateSchedule(5),
        distribution="uniform_all",
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.02), loss)
    history = model.fit(
        data.train(0),
        epochs=4,
        steps_per_epoch=data.steps_per_epoch,
        verbose=0,
        shuffle=False,
    ).history["loss"]
    assert history[-1] < history[0] - 1
    assert {k.name for k in model.kernels} == {
        "gru/kernel",
        "gru/recurrent_kernel",
        "dense1",
        "logits",
    }


def test_a_pipe_is_no_text(tmp_path):
    os.mkfifo(tmp_path / "text")

    with pytest.raises(ValueError, match="text is not an ordinary file"):
        datasets.characters(tmp_path / "text")
