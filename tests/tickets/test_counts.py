"""Tests of how many connections are kept."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from rigl_tf import tickets
from rigl_tf.tickets.random import smart_ratio
from rigl_tf.tickets.search import pruning_counts
from tests.tickets.small import RESNET20

SIZE = sum(RESNET20)
few = settings(max_examples=40, deadline=None, derandomize=True)


def of_the_authors(size, fraction, num):
    """Each time, ceil(fraction of what is left) are removed."""
    left = [size]
    for _ in range(num):
        left.append(left[-1] - math.ceil(fraction * left[-1]))
    return left[1:]


@pytest.mark.parametrize(
    ("density", "epochs", "period", "num", "first", "theirs"),
    [
        (0.0144, 150, 5, 29, 231832, 3861),
        (0.0059, 150, 5, 29, 224808, 1580),
        (0.0372, 150, 5, 29, None, 9977),
        (0.2, 150, 5, 29, None, 53660),
        (0.5, 150, 8, 18, 258199, 134161),
    ],
)
def test_gem_miner_ends_with_the_density_where_the_authors_drift(
    density, epochs, period, num, first, theirs
):
    ours = pruning_counts.within_epochs(SIZE, density, epochs, period)
    drifting = of_the_authors(SIZE, 1 - density ** (1 / num), num)
    assert len(ours) == num
    assert drifting[-1] == theirs and first in (None, drifting[0])
    assert (
        ours[-1]
        == pruning_counts.count_to_keep(SIZE, density)
        == round(SIZE * density)
    )
    assert np.max(np.abs(np.subtract(ours, drifting))) <= 8


def test_long_gem_miner_freezes_as_often_as_imp_prunes():
    ours = pruning_counts.within_epochs(SIZE, 0.0144, 3000, 150)
    assert len(ours) == 19
    assert ours[0] / SIZE == pytest.approx(1 - 0.200034, abs=1e-5)


def test_imp_takes_the_rounds_of_the_paper():
    assert pruning_counts.num_rounds(0.0144, 0.2) == 19
    assert pruning_counts.num_rounds(0.0059, 0.2) == 23
    assert pruning_counts.num_rounds(0.9, 0.2) == 1
    theirs = of_the_authors(SIZE, 0.2, 23)  # exactly ceil(0.2 n) a round
    assert theirs[:5] == [214668, 171734, 137387, 109909, 87927]
    assert (theirs[18], theirs[22]) == (3865, 1582)
    ours = pruning_counts.exponential(SIZE, 0.8**19, 19)
    assert ours[:5] == [214669, 171735, 137388, 109910, 87928]
    assert ours[-1] == pruning_counts.count_to_keep(SIZE, 0.8**19) == 3867


def test_synflow_prunes_exponentially():
    ours = pruning_counts.exponential(SIZE, 0.0144, 100)
    theirs = [SIZE - n for n in (11140, 21819, 236135, 264304, 264471)]
    for place, kept in zip((1, 2, 50, 99, 100), theirs, strict=True):
        assert abs(ours[place - 1] - kept) <= 1
    assert ours[49] == round(SIZE * 0.12)


def test_linear_counts_shrink_by_the_same_number():
    assert pruning_counts.linear(100, 0.2, 4) == [80, 60, 40, 20]


@few
@given(
    st.integers(10, 10**6),
    st.floats(0.01, 0.99),
    st.integers(1, 40),
)
def test_counts_only_shrink_and_end_with_the_density(size, density, num):
    for schedule in (pruning_counts.exponential, pruning_counts.linear):
        found = schedule(size, density, num)
        assert found == sorted(found, reverse=True)
        assert abs(found[-1] - size * density) <= 0.5 + 1e-6


@pytest.mark.parametrize(
    ("density", "theirs", "total"),
    [
        (0.0144, 3857, 3864),
        (0.0059, 1574, 1583),
        (0.0372, 9972, 9982),
        (0.05, 13407, 13417),
        (0.1, 26825, 26834),
        (0.2, 53662, 53667),
        (0.5, 134160, 134168),
    ],
)
def test_smart_ratios_are_those_of_the_authors(density, theirs, total):
    wanted = smart_ratio.densities(RESNET20, density)
    rounded_down = [int(d * n) for d, n in zip(wanted, RESNET20, strict=True)]
    # They hand on what overflows in whole connections, rounded down.
    assert abs(sum(rounded_down) - theirs) <= 4
    assert sum(d * n for d, n in zip(wanted, RESNET20, strict=True)) == (
        pytest.approx(SIZE * density)
    )
    assert pruning_counts.count_to_keep(SIZE, density) == total


def test_smart_ratios_of_each_layer():
    wanted = smart_ratio.densities(RESNET20, 0.0144)
    expected = [0.1007991567, 0.0911992370, 0.0820793133]
    assert wanted[:3] == pytest.approx(expected)
    assert wanted[-2:] == pytest.approx([0.001439988, 0.3])
    kept = [int(d * n) for d, n in zip(wanted, RESNET20, strict=True)]
    assert kept == [
        43, 210, 189, 169, 150, 132, 116, 201, 345, 291,
        243, 199, 159, 247, 371, 265, 176, 106, 53, 192,
    ]  # fmt: skip
    dense = smart_ratio.densities(RESNET20, 0.5)
    assert dense[:14] == [1.0] * 14
    assert dense[14] == pytest.approx(0.7770585266, abs=2e-4)


@pytest.mark.parametrize(
    ("first", "last", "theirs", "printed"),
    [(0.344907, 0.259375, 3937, 1.47), (1.0, 1.0, 4694, 1.75)],
)
def test_smart_ratios_of_versions_2_and_3_keep_the_layers_in_between(
    first, last, theirs, printed
):
    wanted = smart_ratio.densities(RESNET20, 0.0144, last, first)
    assert (wanted[0], wanted[-1]) == (first, last)
    assert wanted[1:-1] == smart_ratio.densities(RESNET20, 0.0144)[1:-1]
    kept = sum(d * n for d, n in zip(wanted, RESNET20, strict=True))
    # They round down in each of the 20 layers.
    assert theirs <= kept <= theirs + 20
    assert 100 * kept / SIZE == pytest.approx(printed, abs=0.01)


def test_a_last_layer_that_takes_all_gets_two_thirds():
    # ResNet-50 for Tiny ImageNet: 0.3 of the logits are 122,880 connections.
    sizes = [23_864_512 - 409_600, 409_600]
    with pytest.warns(UserWarning, match="119323 connections"):
        wanted = smart_ratio.densities(sizes, 0.005)
    kept = [d * n for d, n in zip(wanted, sizes, strict=True)]
    assert sum(kept) == pytest.approx(0.005 * sum(sizes))
    assert kept[1] == pytest.approx(2 / 3 * sum(kept))


def test_a_tilt_that_empties_a_layer_is_refused():
    finder = tickets.SmartRatioSearch(
        {"first": 0.5, "last": 0.1}, tilts=(((0, 1), 0.1, (0, 1)),)
    )
    with pytest.raises(ValueError, match="above 0. Received: tilts=.*Lower"):
        finder.patterns([0.5, 0.1])


def test_version_4_tries_the_144_patterns_of_the_authors():
    names = [f"layer{i}" for i in range(20)]
    imp = [0.45, *[0.08] * 7, *[0.02] * 6, *[0.004] * 5, 0.27]
    finder = tickets.SmartRatioSearch(
        dict(zip(names, imp, strict=True)),
        tilts=(
            ((0, 19), 0.1, (-1, 0, 1)),
            (tuple(range(1, 8)), 0.01, (0, 1, 2, 3)),
            (tuple(range(8, 14)), 0.005, (0, 1, 2, 3)),
            (tuple(range(14, 19)), 0.001, (0, 1, 2)),
        ),
    )
    patterns = finder.patterns(imp)
    assert len(np.unique(patterns, axis=0)) == 144
    assert finder.num_epochs(0.0144, 150) == 144 * 150
    np.testing.assert_array_equal(patterns[0], imp)
    # What is added in a group of layers is taken away in it.
    np.testing.assert_allclose(patterns.sum(axis=1), sum(imp))
    moved = patterns - imp
    assert {tuple(np.round(m, 3)) for m in 1000 * moved[:, 1:8]} == {
        (0, 0, 0, 0, 0, 0, 0),
        (10, 0, 0, 0, 0, 0, -10),
        (10, 10, 0, 0, 0, -10, -10),
        (10, 10, 10, 0, -10, -10, -10),
    }
    few = dataclasses.replace(finder, num_trials=5)
    assert few.num_epochs(0.0144, 150) == 5 * 150
    assert {tuple(p) for p in few.patterns(imp)} < {tuple(p) for p in patterns}


@few
@given(
    st.lists(st.floats(0.001, 1), min_size=1, max_size=8),
    st.floats(0.001, 0.999),
)
def test_densities_scaled_keep_their_mean_and_at_most_1(wanted, density):
    sizes = [10 + 7 * i for i in range(len(wanted))]
    scaled = pruning_counts.scale_densities(wanted, sizes, density)
    total = sum(d * n for d, n in zip(scaled, sizes, strict=True))
    assert total == pytest.approx(density * sum(sizes))
    assert max(scaled) <= 1


def test_what_it_costs_to_find_a_ticket_is_table_1_of_rare_gems():
    epochs = {
        name: tickets.TICKETS[name]().num_epochs(0.0144, 150)
        for name in (
            "imp",
            "lr_rewinding",
            "edge_popup",
            "gem_miner",
            "snip",
            "grasp",
            "synflow",
            "smart_ratio",
        )
    }
    assert epochs == {
        "imp": 2850,
        "lr_rewinding": 3000,
        "edge_popup": 150,
        "gem_miner": 150,
        "snip": 1,
        "grasp": 1,
        "synflow": 1,
        "smart_ratio": 0,
    }
