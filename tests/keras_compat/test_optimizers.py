"""What optimizers keep of each variable."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

from rigl_tf import _keras_compat


def built(optimizer):
    layer = kl.Dense(2)
    layer.build((None, 4))
    optimizer.build(layer.trainable_variables)
    return optimizer, layer.kernel, layer.bias


def test_an_optimizer_knows_what_it_was_built_for():
    """Without it, a frozen kernel would be asked for its momentum."""
    optimizer, kernel, bias = built(keras.optimizers.SGD())

    assert _keras_compat.is_built_for(optimizer, kernel)
    assert not _keras_compat.is_built_for(optimizer, keras.Variable([1.0]))
    variables = _keras_compat.built_variables(optimizer)
    assert [id(kernel), id(bias)] == list(map(id, variables))


@pytest.mark.parametrize(
    ("optimizer", "count"),
    [
        (keras.optimizers.SGD(), 0),
        (keras.optimizers.SGD(momentum=0.9), 1),
        (keras.optimizers.Adam(), 2),
        (keras.optimizers.Adam(amsgrad=True), 3),
        (keras.optimizers.Adam(gradient_accumulation_steps=2), 3),
        (keras.optimizers.Ftrl(), 2),
    ],
)
def test_slots_of_a_variable_are_found(optimizer, count):
    """Without them, new connections start with the momentum of old ones."""
    optimizer, kernel, _ = built(optimizer)

    found = _keras_compat.slots_of(optimizer, kernel)

    slots = [one for one in found if isinstance(one, keras.Variable)]
    assert [slot.shape for slot in slots] == [kernel.shape] * count


def test_momentum_is_found_under_either_name():
    """Without it, the sparse momentum algorithm has no score."""
    for kind in (
        keras.optimizers.SGD(momentum=0.9),
        keras.optimizers.Adam(),
    ):
        optimizer, kernel, bias = built(kind)
        optimizer.apply([tf.ones((4, 2)), tf.zeros((2,))])
        momentum = _keras_compat.momentum_of(optimizer, kernel)
        assert np.all(momentum.numpy() != 0)
        assert not np.any(_keras_compat.momentum_of(optimizer, bias))
    optimizer, kernel, _ = built(keras.optimizers.RMSprop())

    assert _keras_compat.momentum_of(optimizer, kernel) is None


def test_sums_of_squares_are_found():
    """Without them, new connections of Adagrad start at 0, not at 0.1."""
    for kind in (keras.optimizers.Adagrad(0.1), keras.optimizers.Ftrl()):
        optimizer, kernel, _ = built(kind)
        sums = _keras_compat.sums_of_squares(optimizer)
        np.testing.assert_allclose(sums[0], np.full((4, 2), 0.1))
    optimizer, _, _ = built(keras.optimizers.Adam())

    assert list(_keras_compat.sums_of_squares(optimizer)) == []


def test_batches_are_counted_where_gradients_are_accumulated():
    """Without them, masks would move in the middle of a step."""
    optimizer, kernel, bias = built(
        keras.optimizers.SGD(gradient_accumulation_steps=2)
    )

    optimizer.apply([tf.fill((4, 2), 3.0), tf.ones((2,))])

    assert int(_keras_compat.batches_seen(optimizer)) == 1
    assert int(optimizer.iterations) == 0
    accumulated = _keras_compat.accumulated_gradient_of(optimizer, kernel)
    np.testing.assert_array_equal(accumulated, np.full((4, 2), 3.0))
    sums = _keras_compat.accumulated_gradients(optimizer)
    assert sums[0] is accumulated
    np.testing.assert_array_equal(sums[1], np.ones(2))


def test_a_learning_rate_is_the_schedule_that_was_given():
    """Without it, a longer training would end with the rate of a short one."""
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 100)

    optimizer = keras.optimizers.SGD(schedule)

    assert _keras_compat.learning_rate_of(optimizer) is schedule
