"""Sets of positions against NumPy's."""

import numpy as np
import tensorflow as tf
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from rigl_tf.kernels import coo_kernel
from rigl_tf.kernels import index_sets
from rigl_tf.sparsity import masks
from rigl_tf.sparsity import top_k

places = st.sets(st.integers(0, 60), max_size=40).map(sorted)


def tensor(values, length=None):
    values = tf.constant(values, tf.int32)
    return values if length is None else index_sets.padded(values, length)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(places, places)
def test_a_union_is_sorted_and_complete(one, other):
    other = [place for place in other if place not in one]

    union = index_sets.merged(tensor(one), tensor(other))

    np.testing.assert_array_equal(union, sorted(one + other))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(places, st.integers(0, 61), st.integers(0, 61))
def test_a_part_of_the_mask_is_what_is_there(found, start, stop):
    start, stop = sorted([start, stop])
    whole = np.isin(np.arange(61), found)

    part = index_sets.between(tensor(found, 61), start, stop)

    np.testing.assert_array_equal(part, whole[start:stop])


@settings(max_examples=50, deadline=None, derandomize=True)
@given(places, places)
def test_values_are_carried_over_by_position(old, new):
    # Nothing comes from padding, whatever an optimizer has put there.
    room = (0, 61 - len(old))
    values = np.pad(np.array(old, "float32") + 1, room, constant_values=9)

    origins = index_sets.origins(tensor(old, 61), tensor(new, 61))
    carried = index_sets.carried(tf.constant(values), origins)

    expected = [place + 1 if place in old else 0 for place in new]
    np.testing.assert_array_equal(carried[: len(new)], expected)
    assert not np.any(carried[len(new) :])


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=60), st.data())
def test_the_best_of_tiles_are_the_best_of_all(scores, data):
    """Few different scores, so that ties are broken all the time."""
    scores = np.array(scores, "float32")
    candidates = np.arange(scores.size) % 3 != 1
    k = data.draw(st.integers(0, int(candidates.sum())))
    rows = data.draw(st.integers(1, scores.size))

    def keys(number):
        start = number * rows
        here = slice(start, start + rows)
        return start, top_k.keys_of(
            tf.constant(scores)[here], tf.constant(candidates)[here]
        )

    num_tiles = -(-scores.size // rows)
    found = index_sets.best(keys, num_tiles, tf.constant(k, tf.int64))

    mask = masks.top_k_mask(scores, k, candidates)
    np.testing.assert_array_equal(found, np.flatnonzero(mask))


def test_random_positions_are_those_of_a_random_mask(monkeypatch):
    monkeypatch.setattr(coo_kernel, "_TILE", 1000)
    seed = tf.constant([3, 7], tf.int64)

    found = coo_kernel.random_positions(70 * 90, 1234, seed)

    mask = masks.random_mask((70, 90), 1234, seed)
    np.testing.assert_array_equal(found, np.flatnonzero(mask))
    assert found.dtype == np.int32


def test_a_part_of_random_scores_is_cut_out_of_the_whole():
    seed = tf.constant([5, 1 << 33], tf.int64)
    whole = masks.random_scores((37, 1001), seed).numpy().ravel()

    for start, stop in [(0, 10), (3, 9), (1001, 5005), (37034, 37037)]:
        part = masks.random_scores_slice(start, stop, seed)
        np.testing.assert_array_equal(part, whole[start:stop])
