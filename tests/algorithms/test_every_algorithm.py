"""What every registered algorithm must do, present and future."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rigl_tf import algorithms
from rigl_tf import masks
from rigl_tf.algorithms import LayerView

SHAPES = [(12, 7), (3, 3, 4, 5), (40,), (6, 2, 5)]

pytestmark = pytest.mark.parametrize("name", sorted(algorithms.ALGORITHMS))


def random_view(shape, seed):
    rng = np.random.default_rng(seed)
    mask = np.zeros(shape, bool)
    mask.flat[rng.permutation(mask.size)[: mask.size // 2]] = True
    return LayerView(
        weight=tf.constant(rng.normal(size=shape) * mask, tf.float32),
        mask=tf.constant(mask),
        gradient=tf.constant(rng.normal(size=shape), tf.float32),
        momentum=tf.constant(rng.normal(size=shape), tf.float32),
        seed=tf.constant([seed, 5], tf.int64),
    )


def views():
    return [random_view(shape, seed) for seed, shape in enumerate(SHAPES)]


def counts(layers):
    return [int(masks.count(layer)) for layer in layers]


def budgets(layers, part=1.0):
    return [tf.constant(int(part * n), tf.int64) for n in counts(layers)]


def updated(algorithm, layers, drops):
    grown = algorithm.redistribute(layers, drops)
    return grown, [
        masks.drop_and_grow(
            view.mask, algorithm.drop(view), algorithm.grow(view), d, g
        )
        for view, d, g in zip(layers, drops, grown, strict=True)
    ]


def test_moves_exactly_the_connections_it_says(name):
    layers, drops = views(), [3, 10, 0, 29]

    grown, after = updated(algorithms.get(name), layers, drops)

    before = sum(counts(view.mask for view in layers))
    assert sum(counts(after)) == before - sum(drops) + sum(map(int, grown))


def test_drops_only_active_and_grows_only_inactive_connections(name):
    layers, drops = views(), [3, 10, 0, 29]
    algorithm = algorithms.get(name)

    for view, d in zip(layers, drops, strict=True):
        kept = masks.drop_and_grow(view.mask, algorithm.drop(view), None, d, 0)
        after = masks.drop_and_grow(
            view.mask, algorithm.drop(view), algorithm.grow(view), d, d
        )

        assert np.all(view.mask.numpy()[kept.numpy()])
        assert np.all(after.numpy()[kept.numpy()])
        assert int(masks.count(after)) == int(masks.count(view.mask))


def test_drops_no_more_than_there_is(name):
    layers = views()
    active = counts(view.mask for view in layers)

    for fraction in (0.0, 0.3, 1.0):
        for part in (1.0, 0.5):
            drops = algorithms.get(name).num_drop(
                layers, fraction, budgets([v.mask for v in layers], part)
            )

            assert all(
                0 <= int(d) <= n for d, n in zip(drops, active, strict=True)
            )


def test_gives_the_same_masks_for_the_same_views(name):
    _, first = updated(algorithms.get(name), views(), [3, 10, 0, 29])
    _, second = updated(algorithms.get(name), views(), [3, 10, 0, 29])

    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_puts_out_no_nan(name):
    algorithm = algorithms.get(name)

    for view in views():
        for scores in (algorithm.drop(view), algorithm.grow(view)):
            assert np.all(np.isfinite(np.asarray(scores, np.float64)))


def test_permuting_a_layer_permutes_its_mask(name):
    if name == "set":
        return  # its choices go by position and seed, not by value
    algorithm = algorithms.get(name)
    view = random_view((30,), 3)
    order = np.random.default_rng(0).permutation(30)
    permuted = LayerView(
        *(tf.gather(tensor, order) for tensor in view[:4]), view.seed
    )

    _, (straight,) = updated(algorithm, [view], [6])
    _, (shuffled,) = updated(algorithm, [permuted], [6])

    np.testing.assert_array_equal(straight.numpy()[order], shuffled)


def test_comes_back_from_its_configuration(name):
    algorithm = algorithms.get(name)

    config = keras.saving.serialize_keras_object(algorithm)

    assert keras.saving.deserialize_keras_object(config) == algorithm
