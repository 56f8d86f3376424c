"""Random numbers belong to positions, and no two draws are the same."""

import itertools
import statistics

import numpy as np
import pytest
import tensorflow as tf

from rigl_tf.algorithms import CandidateTile
from rigl_tf.algorithms import RandomNumbers
from rigl_tf.algorithms.random_numbers import SliceNumbers
from rigl_tf.sparsity import random_bits

SEED = tf.constant([5, 1 << 33], tf.int64)
DRAWS = ("integers", "uniform", "normal")


@pytest.mark.parametrize("stream", [0, 1, 7])
@pytest.mark.parametrize("draw", DRAWS)
def test_a_slice_has_the_numbers_of_the_whole(draw, stream):
    whole = np.ravel(getattr(RandomNumbers((37, 1001), SEED), draw)(stream))

    for start, stop in [(0, 10), (3, 9), (1001, 5005), (37034, 37037)]:
        part = getattr(SliceNumbers(start, stop, SEED), draw)(stream)
        np.testing.assert_array_equal(part, whole[start:stop])


def test_integers_are_the_scores_of_a_random_mask():
    np.testing.assert_array_equal(
        RandomNumbers((6, 5), 3).integers(), random_bits.draw((6, 5), 3)
    )


def test_distributions_and_streams_are_independent():
    numbers = RandomNumbers((4000,), SEED)
    draws = [
        np.array(getattr(numbers, draw)(stream), "float64")
        for draw in DRAWS
        for stream in range(4)
    ]

    # The correlation of 4,000 independent pairs is below 0.08 but for chance
    # of one in a million.
    for one, other in itertools.combinations(draws, 2):
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.08


def test_uniform_numbers_are_spread_between_0_and_1():
    values = RandomNumbers((100, 1000), SEED).uniform().numpy()

    counts, _ = np.histogram(values, bins=20, range=(0, 1))
    assert 0 < values.min() < 1e-4 and 1 - 1e-4 < values.max() < 1
    assert np.all(np.abs(counts - 5000) < 5 * 5000**0.5)


def test_normal_numbers_are_distributed_as_such():
    values = RandomNumbers((100, 1000), SEED).normal().numpy()

    normal = statistics.NormalDist()
    for bound in np.linspace(-4, 4, 17):
        share = normal.cdf(bound)
        deviation = (share * (1 - share) / values.size) ** 0.5
        assert abs(np.mean(values < bound) - share) < 5 * deviation


@pytest.mark.few(4)
@pytest.mark.parametrize("stream", [0, 1, 3])
@pytest.mark.parametrize("draw", DRAWS)
def test_xla_draws_the_same(draw, stream):
    def drawn():
        return getattr(RandomNumbers((30, 7), SEED), draw)(stream)

    compiled = tf.function(drawn, jit_compile=True)()

    np.testing.assert_array_equal(compiled, drawn())


def test_a_tile_without_random_numbers_says_how_to_give_it_some():
    tile = CandidateTile(tf.zeros(3), tf.zeros(3, tf.bool))

    for draw in (tile.random, tile.uniform, tile.normal):
        with pytest.raises(ValueError, match=r"RandomNumbers\(mask.shape"):
            draw()
