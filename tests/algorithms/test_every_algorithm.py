"""What every registered algorithm must do, present and future."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from rigl_tf import algorithms
from rigl_tf.algorithms import CandidateTile
from rigl_tf.algorithms import KernelView
from rigl_tf.algorithms import RandomNumbers
from rigl_tf.algorithms import Request
from rigl_tf.algorithms.random_numbers import SliceNumbers
from rigl_tf.sparsity import masks

SHAPES = [(12, 7), (3, 3, 4, 5), (40,), (6, 2, 5)]
STATE = {"threshold": tf.constant(0.4)}
# Their choices go by position and seed, not by value alone.
RANDOM = {"set", "dsr", "deepr", "ggr", "ggr_set", "set_rigl", "mest", "chts"}

pytestmark = pytest.mark.parametrize("name", sorted(algorithms.ALGORITHMS))


def random_view(shape, seed, density=0.5):
    rng = np.random.default_rng(seed)
    mask = np.zeros(shape, bool)
    active = max(int(density * mask.size), 1)
    mask.flat[rng.permutation(mask.size)[:active]] = True
    return KernelView(
        weight=tf.constant(rng.normal(size=shape) * mask, tf.float32),
        mask=tf.constant(mask),
        gradient=tf.constant(rng.normal(size=shape), tf.float32),
        momentum=tf.constant(rng.normal(size=shape), tf.float32),
        sign=tf.constant(rng.choice([-1.0, 1.0], size=shape), tf.float32),
        random_numbers=RandomNumbers(shape, tf.constant([seed, 5], tf.int64)),
    )


def views():
    return [random_view(shape, seed) for seed, shape in enumerate(SHAPES)]


def counts(layers):
    return [int(masks.count(layer)) for layer in layers]


def request(layers, fraction, part=1.0):
    """An update that wants a fraction, or a part of what is active now."""
    active = counts(view.mask for view in layers)
    return Request(
        fractions=[fraction] * len(layers),
        budgets=[tf.constant(int(part * n), tf.int64) for n in active],
        state=STATE,
    )


def after_drop(algorithm, view, num_drop):
    scores = algorithm.drop(view)
    threshold = masks.drop_threshold(view.mask, scores, num_drop)
    kept = masks.mask_after_drop(view.mask, scores, threshold)
    return dataclasses.replace(view, mask=kept)


def updated(algorithm, layers, drops):
    """How many each layer grows, and the masks after an update."""
    left = [
        after_drop(algorithm, view, d)
        for view, d in zip(layers, drops, strict=True)
    ]
    grown = algorithm.redistribute(left, drops, request(layers, 0.3))
    return grown, [
        masks.grow(view.mask, algorithm.grow(view.candidates()), g)
        for view, g in zip(left, grown, strict=True)
    ]


def grow_scores(algorithm, tile):
    scores = algorithm.grow(tile)
    return [function() for function in masks.score_functions(scores)]


@pytest.mark.few(6)
def test_moves_exactly_the_connections_it_says(name):
    layers, drops = views(), [3, 10, 0, 29]

    grown, after = updated(algorithms.get(name), layers, drops)

    before = counts(view.mask for view in layers)
    assert counts(after) == [
        b - d + int(g) for b, d, g in zip(before, drops, grown, strict=True)
    ]


@pytest.mark.few(1)
def test_grows_what_was_dropped_and_no_layer_beyond_its_size(name):
    """1,000 sets of layers, from nearly empty to full ones."""
    algorithm = algorithms.get(name)
    if algorithm.follows_sparsity:
        pytest.skip("grows nothing")

    @tf.function
    def grow(layers, drops):
        left = [
            dataclasses.replace(view, mask=mask)
            for view, mask in zip(views(), layers, strict=True)
        ]
        wanted = Request([0.3] * len(left), None, STATE)
        return algorithm.redistribute(left, tf.unstack(drops), wanted)

    rng = np.random.default_rng(0)
    for _ in range(1000):
        left = [rng.random(shape) < rng.random() for shape in SHAPES]
        drops = [rng.integers(0, 1 + np.sum(~mask)) for mask in left]

        grown = np.array(
            grow([tf.constant(mask) for mask in left], tf.constant(drops))
        )

        assert grown.sum() == sum(drops)
        assert np.all(grown >= 0)
        assert np.all(grown <= [np.sum(~mask) for mask in left])


def test_drops_only_active_and_grows_only_inactive_connections(name):
    layers, drops = views(), [3, 10, 0, 29]
    algorithm = algorithms.get(name)

    for view, d in zip(layers, drops, strict=True):
        kept = after_drop(algorithm, view, d)
        after = masks.grow(kept.mask, algorithm.grow(kept.candidates()), d)

        assert np.all(view.mask.numpy()[kept.mask.numpy()])
        assert np.all(after.numpy()[kept.mask.numpy()])
        assert int(masks.count(after)) == int(masks.count(view.mask))


def test_drops_no_more_than_there_is(name):
    layers = views()
    active = counts(view.mask for view in layers)

    for fraction in (0.0, 0.3, 1.0):
        for part in (1.0, 0.5, 2.0):
            drops = algorithms.get(name).num_drop(
                layers, request(layers, fraction, part)
            )

            assert all(
                0 <= int(d) <= n for d, n in zip(drops, active, strict=True)
            )


def test_keeps_the_names_of_its_state(name):
    algorithm, layers = algorithms.get(name), views()
    state = algorithm.initial_state()

    after = algorithm.next_state(
        layers,
        request(layers, 0.3)._replace(
            state={k: tf.constant(v) for k, v in state.items()}
        ),
        [tf.constant(3, tf.int64)] * len(layers),
    )

    assert after.keys() == state.keys()
    assert all(np.isfinite(float(value)) for value in after.values())


@pytest.mark.few(9)
def test_gives_the_same_masks_for_the_same_views(name):
    _, first = updated(algorithms.get(name), views(), [3, 10, 0, 29])
    _, second = updated(algorithms.get(name), views(), [3, 10, 0, 29])

    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_puts_out_no_nan(name):
    algorithm = algorithms.get(name)

    for view in views():
        for scores in (algorithm.drop(view), *grow_scores(algorithm, view)):
            assert np.all(np.isfinite(np.asarray(scores, np.float64)))


def test_a_tile_is_scored_as_its_part_of_the_kernel_is(name):
    algorithm, view = algorithms.get(name), random_view((30,), 3)
    if algorithm.needs_whole_kernel:
        pytest.skip("is given no part of a kernel")
    start, stop = 7, 21
    seed = tf.constant([3, 5], tf.int64)
    tile = CandidateTile(
        view.weight[start:stop],
        view.mask[start:stop],
        view.gradient[start:stop],
        view.momentum[start:stop],
        view.sign[start:stop],
        SliceNumbers(start, stop, seed),
    )

    whole = grow_scores(algorithm, view.candidates())

    for scores, part in zip(whole, grow_scores(algorithm, tile), strict=True):
        np.testing.assert_array_equal(part, scores[start:stop])


def test_permuting_a_layer_permutes_its_mask(name):
    if name in RANDOM:
        pytest.skip("chooses at random")
    algorithm = algorithms.get(name)
    view = random_view((30,), 3)
    order = np.random.default_rng(0).permutation(30)
    names = ("weight", "mask", "gradient", "momentum", "sign")
    permuted = dataclasses.replace(
        view, **{n: tf.gather(getattr(view, n), order) for n in names}
    )

    _, (straight,) = updated(algorithm, [view], [6])
    _, (shuffled,) = updated(algorithm, [permuted], [6])

    np.testing.assert_array_equal(
        straight.numpy()[order],
        shuffled,
        err_msg=f"If {name} chooses at random, add it to `RANDOM`.",
    )


def test_comes_back_from_its_configuration(name):
    algorithm = algorithms.get(name)

    config = keras.saving.serialize_keras_object(algorithm)

    assert keras.saving.deserialize_keras_object(config) == algorithm
