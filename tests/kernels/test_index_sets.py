"""Sets of positions against NumPy's."""

import numpy as np
import tensorflow as tf
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from rigl_tf.kernels import coo_kernel
from rigl_tf.kernels import index_sets
from rigl_tf.sparsity import masks
from rigl_tf.sparsity import random_bits

places = st.sets(st.integers(0, 60), max_size=40).map(sorted)


def tensor(values, length=None):
    values = tf.constant(values, tf.int32)
    return values if length is None else index_sets.padded(values, length)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(places, places)
def test_a_union_is_sorted_and_complete(one, other):
    other = [place for place in other if place not in one]

    order = index_sets.merge_order(tensor(one), tensor(other))

    union = np.array(one + other, int)[order]
    np.testing.assert_array_equal(union, sorted(one + other))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(places, places)
def test_what_a_set_contains_is_found(one, other):
    found = index_sets.contains(tensor(one), tensor(other))

    np.testing.assert_array_equal(found, np.isin(other, one))


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
@given(
    st.lists(
        st.sampled_from([-np.inf, -3.0, -0.0, 0.0, 1.0, 2.0, np.inf, np.nan]),
        min_size=1,
        max_size=60,
    ),
    st.sampled_from(["float32", "float64", "float16", "int32"]),
    st.data(),
)
def test_the_best_of_tiles_are_the_best_of_all(scores, dtype, data):
    """Few different scores, so that ties are broken all the time."""
    scores = np.array(scores)
    if dtype == "int32":
        info = np.iinfo(dtype)
        scores = np.nan_to_num(scores, nan=0, posinf=info.max, neginf=info.min)
    scores = scores.astype(dtype)
    candidates = np.arange(scores.size) % 3 != 1
    k = data.draw(st.integers(0, int(candidates.sum())))
    rows = data.draw(st.integers(1, scores.size))

    def tile(number):
        start = number * rows
        return start, tf.constant(scores)[start : start + rows]

    num_tiles = -(-scores.size // rows)
    taken = tensor(np.flatnonzero(~candidates))
    found = index_sets.best(tile, num_tiles, tf.constant(k, tf.int64), taken)

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
    whole = random_bits.draw((37, 1001), seed).numpy().ravel()

    for start, stop in [(0, 10), (3, 9), (1001, 5005), (37034, 37037)]:
        part = random_bits.draw_slice(start, stop, seed)
        np.testing.assert_array_equal(part, whole[start:stop])
