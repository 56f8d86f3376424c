"""Losses."""

import keras
import numpy as np
import pytest

from rigl_tf import losses


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
    assert losses.takes_logits_of_softmax(loss) is expected
