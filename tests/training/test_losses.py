"""Losses."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rigl_tf.training import losses


def test_smoothed_labels_are_a_little_of_every_class():
    logits = np.array([[2.0, 0.0, -1.0]], np.float32)
    logs = logits - np.log(np.exp(logits).sum())
    # Nine tenths of the label's, one tenth of the mean of all.
    expected = -(0.9 * logs[0, 0] + 0.1 * logs[0].mean())
    loss = losses.SmoothedCrossEntropy(0.1)
    assert float(loss([0], logits)) == pytest.approx(expected, rel=1e-5)


def test_without_smoothing_it_is_cross_entropy():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(8, 5)), rng.integers(0, 5, 8)
    ours = losses.SmoothedCrossEntropy(0.0)(labels, logits)
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    assert float(ours) == pytest.approx(float(theirs(labels, logits)))


def test_it_is_saved(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    model.compile("sgd", losses.SmoothedCrossEntropy(0.2))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.loss.smoothing == 0.2


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (losses.SmoothedCrossEntropy(), True),
        (keras.losses.SparseCategoricalCrossentropy(from_logits=True), True),
        (keras.losses.CategoricalCrossentropy(from_logits=True), True),
        (keras.losses.CategoricalFocalCrossentropy(from_logits=True), True),
        (keras.losses.CategoricalCrossentropy(), False),
        (keras.losses.BinaryCrossentropy(from_logits=True), False),
        (keras.losses.MeanSquaredError(), False),
        (keras.losses.sparse_categorical_crossentropy, False),
    ],
)
def test_only_cross_entropy_of_classes_takes_logits_of_a_softmax(
    loss, expected
):
    assert losses.has_softmax_logits(loss) is expected


BINARY = keras.losses.BinaryCrossentropy(from_logits=True)
ONE, THREE = (
    tf.TensorSpec((None, 1), tf.int64),
    tf.TensorSpec((None,), tf.int64),
)


@pytest.mark.parametrize(
    ("loss", "labels", "outputs", "expected"),
    [
        ("bce", ONE, 1, "BinaryAccuracy"),
        ("BCE", ONE, 1, "BinaryAccuracy"),
        ([BINARY], ONE, 1, "BinaryAccuracy"),
        ({"head": "bce"}, ONE, 1, "BinaryAccuracy"),
        (
            "SparseCategoricalCrossentropy",
            THREE,
            3,
            "SparseCategoricalAccuracy",
        ),
        (["mse"], ONE, 1, "NoneType"),
        (["mse", "mse"], THREE, 3, "NoneType"),
    ],
)
def test_the_accuracy_is_that_of_the_loss_however_it_is_said(
    loss, labels, outputs, expected
):
    found = losses.accuracy_metric(loss, labels, lambda: (None, outputs))
    assert type(found).__name__ == expected


@pytest.mark.parametrize("kind", [list, dict])
def test_labels_of_every_loss_are_checked(kind):
    whole, broken = (tf.TensorSpec((None,), t) for t in (tf.int64, tf.float32))
    loss = ["mse", "sparse_categorical_crossentropy"]
    names = "numbers", "classes"
    for labels, is_right in (([broken, whole], True), ([whole, broken], False)):
        given = loss, labels
        if kind is dict:
            given = [dict(zip(names, of, strict=True)) for of in given]
        if is_right:
            losses.check_loss(*given)
            continue
        with pytest.raises(ValueError, match="integer labels.*float32"):
            losses.check_loss(*given)
