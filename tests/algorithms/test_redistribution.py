"""Connections shared in whole numbers."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from rigl_tf.algorithms.redistribution import in_proportion
from rigl_tf.algorithms.redistribution import in_whole_units

LAYERS = 7


@tf.function
def _shared(shares, total, capacities):
    return in_proportion(
        tf.unstack(shares, LAYERS), total, tf.unstack(capacities, LAYERS)
    )


def shared(shares, total, capacities):
    """Of up to seven layers; those added have no room."""
    missing = LAYERS - len(shares)
    counts = _shared(
        tf.constant([*shares, *missing * [0.0]], tf.float64),
        tf.constant(total, tf.int64),
        tf.constant([*capacities, *missing * [0]], tf.int64),
    )
    return [int(n) for n in counts][: len(shares)]


@pytest.mark.parametrize(
    ("shares", "total", "capacities", "expected"),
    [
        # 7.5, 1.5 and 1: the odd one goes to the first of equal remainders.
        ([0.75, 0.15, 0.1], 10, [99, 99, 99], [8, 1, 1]),
        # 18 do not fit; 15 of 30 are left for 3 : 1, that is 11.25 and 3.75.
        ([0.6, 0.3, 0.1], 30, [15, 100, 100], [15, 11, 4]),
        # All full.
        ([0.9, 0.1], 10, [5, 5], [5, 5]),
        # Without any share, in proportion to the room.
        ([0.0, 0.0], 6, [20, 10], [4, 2]),
        # What the only layer with a share cannot take goes by room.
        ([1.0, 0.0, 0.0], 10, [4, 20, 10], [4, 4, 2]),
        # Not a number is no share.
        ([float("nan"), 1.0, float("inf")], 3, [9, 9, 9], [0, 3, 0]),
        # Shares too small or too large to be added.
        ([3e-300, 1e-300], 4, [9, 9], [3, 1]),
        ([3e307, 1e307, 1.7e308], 0, [9, 9, 9], [0, 0, 0]),
    ],
)
def test_the_worked_examples_are_shared_right(
    shares, total, capacities, expected
):
    assert shared(shares, total, capacities) == expected


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_all_is_shared_and_no_layer_is_overrun(data):
    draw = data.draw
    capacities = draw(
        st.lists(st.integers(0, 10**12), min_size=LAYERS, max_size=LAYERS)
    )
    shares = draw(
        st.lists(
            st.floats(width=64, allow_nan=True, allow_infinity=True),
            min_size=LAYERS,
            max_size=LAYERS,
        )
    )
    total = draw(st.integers(0, sum(capacities)))

    counts = shared(shares, total, capacities)

    assert sum(counts) == total
    assert all(0 <= n <= c for n, c in zip(counts, capacities, strict=True))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.floats(0.01, 1.0), min_size=LAYERS, max_size=LAYERS),
    st.integers(0, 10**6),
)
def test_with_room_everyone_is_within_one_of_its_due(shares, total):
    counts = shared(shares, total, [10**7] * LAYERS)

    due = total * np.array(shares) / np.sum(shares)
    assert np.all(np.abs(counts - due) < 1 + 1e-6)


@tf.function
def _whole_units(counts, total, room, sizes):
    return in_whole_units(
        tf.unstack(counts, LAYERS), sizes, total, tf.unstack(room, LAYERS)
    )


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_units_of_any_size_have_the_connections_that_fit(data):
    sizes = (9, 1, 72, 9, 30, 2, 5)
    numbers = st.lists(st.integers(0, 1000), min_size=LAYERS, max_size=LAYERS)
    counts, room = data.draw(numbers), data.draw(numbers)
    capacity = int(np.dot(sizes, room))
    total = data.draw(st.integers(0, capacity))

    units = np.array(
        _whole_units(
            tf.constant(counts, tf.int64),
            tf.constant(total, tf.int64),
            tf.constant(room, tf.int64),
            sizes,
        )
    )

    assert np.all((units >= 0) & (units <= room))
    left = total - np.dot(sizes, units)
    with_room = [s for s, n, r in zip(sizes, units, room, strict=True) if n < r]
    assert left == 0 or 0 < left < min(with_room)


@pytest.mark.parametrize(
    ("counts", "sizes", "total", "units"),
    [
        # Parts of 2, 3 and 3: the first is whole.
        ([2, 3, 3], [2, 2, 2], 8, [1, 2, 1]),
        # Parts of 7 and 3: the remaining 4 are a unit of the first.
        ([7, 6], [4, 2], 10, [2, 1]),
    ],
)
def test_the_remaining_units_go_to_broken_parts_and_large_units_first(
    counts, sizes, total, units
):
    found = in_whole_units(counts, sizes, total, [9] * len(counts))

    assert [int(num) for num in found] == units
