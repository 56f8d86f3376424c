"""Tests of the base class of SNIP, GraSP and ProsPr."""

import gc

import keras
import numpy as np
import pytest
import tensorflow as tf

from rigl_tf import tickets
from tests.tickets import small

FINDERS = {
    "snip": tickets.SNIP,
    "grasp": tickets.GraSP,
    "prospr": tickets.ProsPr,
}


def two_layers(loss, outputs=3, activation=None):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(6, activation="tanh", name="first"),
            keras.layers.Dense(outputs, activation=activation, name="last"),
        ]
    )
    model.compile("sgd", loss)
    return model


def scores(finder, model, data):
    found = finder.find(model, data, 0.5).scores
    return np.concatenate([score.ravel() for score in found.values()])


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("name", "reduction"),
    [*((name, "sum_over_batch_size") for name in FINDERS), ("prospr", "sum")],
)
def test_a_batch_in_parts_gives_the_same_scores(name, reduction):
    """The parts have 5, 5, 5 and 1 examples."""
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, reduction=reduction
    )
    model, data = two_layers(loss), small.dataset()

    whole = scores(FINDERS[name](), model, data)
    in_parts = scores(FINDERS[name](examples_at_once=5), model, data)

    np.testing.assert_allclose(in_parts, whole, 1e-3, 1e-4 * whole.max())


@pytest.mark.parametrize("name", FINDERS)
def test_parts_of_no_examples_are_refused(name):
    with pytest.raises(ValueError, match="examples_at_once.*=0"):
        FINDERS[name](examples_at_once=0)


@pytest.mark.parametrize("name", ["snip", "grasp"])
def test_more_batches_than_an_epoch_has_are_refused(name):
    finder, model = FINDERS[name](num_batches=5), two_layers(SPARSE(True))

    with pytest.raises(ValueError, match="need 5 batches.*with 4 batches"):
        finder.find(model, small.dataset(), 0.5)


def mean_square(labels, outputs):
    return tf.reduce_mean((outputs - tf.cast(labels, tf.float32)) ** 2)


SPARSE = keras.losses.SparseCategoricalCrossentropy
BINARY = keras.losses.BinaryCrossentropy
NOT_LOGITS_OF_A_SOFTMAX = {
    "regression": (keras.losses.MeanSquaredError(), 1, None),
    "a function": (mean_square, 1, None),
    "logits of a sigmoid": (BINARY(from_logits=True), 1, None),
    "a sigmoid": (BINARY(), 1, "sigmoid"),
    "a softmax": (SPARSE(), 3, "softmax"),
    "a softmax, by name": ("sparse_categorical_crossentropy", 3, "softmax"),
}


@pytest.mark.few(2)
@pytest.mark.parametrize("name", NOT_LOGITS_OF_A_SOFTMAX)
def test_the_temperature_leaves_other_outputs_alone(name):
    loss, outputs, activation = NOT_LOGITS_OF_A_SOFTMAX[name]
    model = two_layers(loss, outputs, activation)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 4)), rng.integers(0, 2, (20, 1))
    data = small.given(x, y)

    cold = scores(tickets.GraSP(temperature=1), model, data)
    warm = scores(tickets.GraSP(temperature=200), model, data)

    np.testing.assert_array_equal(cold, warm)


def test_the_temperature_divides_the_logits_of_a_softmax():
    """Like weights a tenth as large; scores are shares of their sum."""
    logits = small.linear([[1, -2], [3, 0.5]], loss=SPARSE(from_logits=True))
    smaller = small.linear(
        [[0.1, -0.2], [0.3, 0.05]], loss=SPARSE(from_logits=True)
    )
    rng = np.random.default_rng(0)
    data = small.given(rng.normal(size=(20, 2)), rng.integers(0, 2, 20))

    warm = scores(tickets.GraSP(temperature=10), logits, data)
    cold = scores(tickets.GraSP(temperature=1), smaller, data)

    assert warm == pytest.approx(cold, rel=1e-4)
    assert warm != pytest.approx(
        scores(tickets.GraSP(temperature=1), logits, data), rel=1e-2
    )


@pytest.mark.few(1)
@pytest.mark.parametrize("kind", [list, dict])
def test_the_temperature_divides_the_logits_of_each_loss(kind):
    """Like weights a tenth as large; those of a regression stay."""
    inputs = keras.Input((2,))
    heads = {
        name: keras.layers.Dense(2, use_bias=False, name=name)(inputs)
        for name in ("classes", "numbers")
    }
    one = {"classes": SPARSE(from_logits=True), "numbers": "mse"}
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 2)), rng.integers(0, 2, 20)
    labels = {"classes": y, "numbers": x}
    weights = [np.array([[1.0, -2.0], [3.0, 0.5]])] * 2
    found = []
    for temperature, divisor in ((10, 1), (1, 10)):
        outputs, loss, given = heads, one, labels
        if kind is list:
            outputs, loss, given = (
                list(of.values()) for of in (heads, one, labels)
            )
        model = keras.Model(inputs, outputs)
        model.set_weights([weights[0] / divisor, weights[1]])
        model.compile("sgd", loss)
        ticket = tickets.GraSP(1, temperature).find(
            model, (x, given), 0.5, batch_size=20
        )
        found.append([*ticket.scores.values()])

    (warm, numbers), (cold, same) = found
    np.testing.assert_allclose(warm / warm.sum(), cold / cold.sum(), 1e-4)
    np.testing.assert_allclose(numbers / numbers.sum(), same / same.sum(), 1e-4)
    # A factor 1/10 for each derivative by weights, of which there are three,
    # and 10 for the weights.
    assert 100 * warm.sum() / numbers.sum() == pytest.approx(
        cold.sum() / same.sum(), rel=1e-4
    )


@pytest.fixture
def peak():
    """A function that gives the bytes that finding a ticket needs at most."""
    info = tf.config.experimental
    try:
        info.reset_memory_stats("CPU:0")
    except ValueError as error:  # TensorFlow without oneDNN
        pytest.skip(str(error))
    rng = np.random.default_rng(0)
    matrices = [rng.normal(size=(32, 32)) / 5 for _ in range(4)]
    model = small.linear(
        *matrices, loss=keras.losses.MeanSquaredError(), activation="tanh"
    )
    data = small.given(rng.normal(size=(2**14, 32)), np.ones((2**14, 32)))

    def measured(finder):
        gc.collect()
        info.reset_memory_stats("CPU:0")
        before = info.get_memory_info("CPU:0")["current"]
        finder.find(model, data, 0.5)
        return info.get_memory_info("CPU:0")["peak"] - before

    return measured


@pytest.mark.slow
def test_activations_of_one_step_and_one_part_are_in_memory(peak):
    one = peak(tickets.ProsPr(1))

    assert peak(tickets.ProsPr(6)) <= 1.5 * one
    assert peak(tickets.ProsPr(6, examples_at_once=2**11)) <= 0.5 * one
