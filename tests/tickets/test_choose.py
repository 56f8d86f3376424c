"""Tests of the choice of connections by score."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from rigl_tf.sparsity.kernel_layout import layout_for
from rigl_tf.tickets.search import mask_selection

TIES = np.array([0, 0, 0, 0, 0.2, 0.6, 0.9, 1, 1, 0.4])


@pytest.mark.parametrize(
    ("fraction", "kept", "theirs"),
    [(0.2, 8, 6), (0.5, 5, 5), (0.7, 3, 3), (0.85, 1, 0)],
)
def test_equal_scores_are_not_all_frozen(fraction, kept, theirs):
    k = int(np.ceil(fraction * TIES.size))
    # The authors freeze all up to the k-th smallest score.
    assert np.count_nonzero(TIES > np.sort(TIES)[k - 1]) == theirs
    mask = mask_selection.global_top_k({"layer": TIES}, TIES.size - k)["layer"]
    assert np.count_nonzero(mask) == kept
    assert TIES[mask].min() >= TIES[~mask].max()


def test_the_largest_weights_of_all_layers_are_kept():
    weights = {
        "a": np.abs([0.05, -0.4, 0.3, -0.2, 0.1]),
        "b": np.abs([0.6, -0.7, 0.15, 0.25, -0.5]),
    }
    masks = mask_selection.global_top_k(weights, 8)  # 20 % pruned: 0.05 and 0.1
    assert masks["a"].tolist() == [False, True, True, True, False]
    assert masks["b"].all()


def test_equal_scores_are_chosen_at_random_by_the_seed():
    scores = {"a": np.ones(1000), "b": np.ones(1000)}
    one, two = (
        mask_selection.global_top_k(scores, 500, seed=s) for s in (1, 2)
    )
    assert 150 < one["a"].sum() < 350, "Not what comes first, but a half."
    assert (one["a"] != two["a"]).any()
    again = mask_selection.global_top_k(scores, 500, seed=1)
    assert (one["a"] == again["a"]).all() and (one["b"] == again["b"]).all()


def test_a_layer_keeps_its_best_connection():
    scores = {"low": np.array([0.1, 0.3, 0.2]), "high": np.arange(1.0, 9)}
    masks = mask_selection.global_top_k(scores, 4)
    assert masks["low"].tolist() == [False, True, False]
    assert masks["high"].tolist() == [False] * 5 + [True] * 3
    with pytest.raises(ValueError, match="leave these layers empty: low"):
        mask_selection.global_top_k(scores, 4, keep_alive=False)


def test_scores_that_are_no_numbers_name_their_layers():
    scores = {"good": np.ones(3), "bad": np.array([1.0, np.nan])}
    with pytest.raises(
        ValueError, match="must be numbers. Received NaN in bad"
    ):
        mask_selection.global_top_k(scores, 2)
    with pytest.raises(
        ValueError, match="must be numbers. Received NaN in bad"
    ):
        mask_selection.layerwise_top_k(scores, [1, 1])


def test_what_must_not_be_kept_is_not():
    scores = {"a": np.array([-np.inf, 1.0, -np.inf, 2.0])}
    mask = mask_selection.global_top_k(scores, 2)["a"]
    assert mask.tolist() == [False, True, False, True]
    with pytest.raises(
        ValueError, match="At least 3 connections .*Received: 2"
    ):
        mask_selection.global_top_k(scores, 3)


def test_there_must_be_room_for_a_connection_of_each_layer():
    scores = {name: np.ones(4) for name in "abc"}
    with pytest.raises(
        ValueError, match="each of 3 layers.* keeps 2 connections"
    ):
        mask_selection.global_top_k(scores, 2)


@settings(deadline=None)
@given(st.data())
def test_counts_are_exact_however_many_scores_are_equal(data):
    values = st.sampled_from([0.0, 0.5, 1.0])
    scores = {
        str(i): np.array(data.draw(st.lists(values, min_size=1, max_size=9)))
        for i in range(data.draw(st.integers(1, 4)))
    }
    size = sum(s.size for s in scores.values())
    count = data.draw(st.integers(len(scores), size))
    masks = mask_selection.global_top_k(scores, count)
    assert sum(m.sum() for m in masks.values()) == count
    assert all(m.any() for m in masks.values())
    counts = [data.draw(st.integers(1, s.size)) for s in scores.values()]
    masks = mask_selection.layerwise_top_k(scores, counts)
    assert [m.sum() for m in masks.values()] == counts


def test_each_output_keeps_equally_many_inputs_or_one_more():
    rng = np.random.default_rng(0)
    score = rng.random((3, 3, 2, 4)).astype("float32")
    layout = layout_for(keras.layers.Conv2D(4, 3), score.shape)

    for count in (1, 4, 37, 40, 71):
        masks = mask_selection.outputwise_top_k(
            {"conv": score}, [count], [layout]
        )
        kept = masks["conv"].reshape(18, 4)
        num = kept.sum(axis=0)
        assert num.sum() == count and num.max() - num.min() <= 1
        ordered = np.sort(score.reshape(18, 4), axis=0)[::-1]
        for i in range(4):
            lowest = score.reshape(18, 4)[:, i][kept[:, i]]
            assert sorted(lowest) == sorted(ordered[: num[i], i])
        if 0 < num.min() < num.max():
            following = ordered[num.min()]
            more = num > num.min()
            assert following[more].min() > following[~more].max()


def test_equal_scores_of_an_output_are_chosen_at_random():
    layout = layout_for(keras.layers.Dense(500), (2, 500))

    masks = mask_selection.outputwise_top_k(
        {"dense": np.ones((2, 500))}, [500], [layout]
    )

    assert set(masks["dense"].sum(axis=0)) == {1}
    assert 200 < masks["dense"][0].sum() < 300
