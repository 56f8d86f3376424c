"""Distributions that see a score for each connection: LAMP and OWL."""

import functools

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rigl_tf
from rigl_tf.sparsity import distributions
from rigl_tf.sparsity.distributions import budgets
from rigl_tf.sparsity.distributions import lamp
from rigl_tf.sparsity.distributions import owl


def counts(scores, sparsity, share=lamp, **keywords):
    shapes = [np.shape(each) for each in scores]
    sparsities = share(shapes, sparsity, scores=scores, **keywords)
    return budgets(shapes, sparsities)


def test_lamp_follows_the_worked_example():
    scores = np.array([[1.0, 2, 3]]), np.array([[0.1, 0.2, 0.1]])

    # Of a: 1/14, 4/13, 1. Of b: 1/6, 1/5, 1. Of |w| alone, only a would stay.
    assert counts(scores, 1 / 2) == [2, 1]
    assert counts(scores, 1 / 3) == [2, 2]
    assert counts(scores, 1 / 6) == [2, 3]
    assert counts(scores, 2 / 3) == [1, 1]


def test_lamp_does_not_depend_on_the_scale_of_a_layer():
    rng = np.random.default_rng(0)
    scores = [np.abs(rng.normal(size=shape)) for shape in [(8, 9), (30, 4)]]

    expected = counts(scores, 0.9)

    assert sum(expected) == round(0.1 * (72 + 120))
    assert counts([scores[0] * 1e30, scores[1] * 1e-30], 0.9) == expected


def test_lamp_leaves_a_connection_to_a_layer_of_zeros():
    assert counts([np.zeros((4, 4)), np.ones((4, 4))], 0.5) == [1, 15]


def outliers(num):
    """Scores of 1,000 connections, `num` of them far above the mean."""
    return np.where(np.arange(1000) < num, 100.0, 0.001).reshape(10, 100)


def test_owl_follows_the_worked_example():
    scores = [outliers(num) for num in (12, 30, 21)]
    shapes = [(10, 100)] * 3

    sparsities = owl(shapes, 0.7, scores=scores)

    # 1.2, 3.0 and 2.1 %, so that densities are 0, 0.16 and 0.08 above 0.22.
    assert 1 - np.array(sparsities) == pytest.approx([0.22, 0.38, 0.30])


def test_owl_gives_the_layers_of_a_block_one_density():
    names = ["a/query", "a/key", "b/0/query", "b/1/query"]
    scores = [outliers(num) for num in (10, 30, 40, 10)]
    share = functools.partial(owl, [(10, 100)] * 4, 0.7, scores=scores)

    by_first_name = share(names=names)
    assert by_first_name[0] == by_first_name[1] > by_first_name[2]
    assert by_first_name[2] == by_first_name[3]
    by_pattern = share(names=names, blocks=["b/0", "b/1"])
    assert by_pattern[2] < by_pattern[0] < by_pattern[3]
    assert np.mean(by_pattern) == pytest.approx(0.7)


def test_owl_keeps_the_total_of_layers_of_unequal_size():
    scores = [outliers(30), outliers(10)[:2]]

    assert sum(counts(scores, 0.8, owl)) == 240


def test_owl_without_outliers_is_uniform():
    assert owl([(2, 2)] * 2, 0.5, scores=[np.ones((2, 2))] * 2) == [0.5, 0.5]


@pytest.mark.parametrize(
    ("share", "keywords", "problem"),
    [
        (lamp, {}, "needs a score for each connection"),
        (owl, {}, "functools.partial.owl"),
        (lamp, {"scores": [np.ones(3)]}, "a number for each connection"),
        (lamp, {"scores": [-np.ones((2, 2))]}, "finite and not negative"),
        (owl, {"scores": [np.full((2, 2), np.nan)]}, "not negative"),
        (owl, {"scores": [np.ones((2, 2))], "spread": -1}, "`spread` must"),
        (owl, {"scores": [np.ones((2, 2))], "blocks": "b"}, "`blocks` match"),
        (lamp, {"scores": [np.ones((2, 2))], "dense": "*"}, "neither dense"),
    ],
)
def test_scores_that_do_not_fit_are_refused(share, keywords, problem):
    with pytest.raises(ValueError, match=problem):
        share([(2, 2)], 0.5, **keywords)


def test_a_sparsity_that_empties_a_layer_is_refused():
    with pytest.raises(ValueError, match="Lower the sparsity"):
        lamp([(2, 2)] * 2, 0.9, scores=[np.ones((2, 2))] * 2)
    scores = [outliers(num) for num in (12, 30)]
    with pytest.raises(ValueError, match="Lower `spread`"):
        owl([(10, 100)] * 2, 0.95, scores=scores, spread=0.08)


@given(st.floats(0.0, 0.999), st.integers(0, 500), st.integers(0, 500))
def test_owl_has_densities_at_every_sparsity(sparsity, one, two):
    scores = [outliers(num) for num in (one, two)]
    sparsities = owl([(10, 100)] * 2, sparsity, scores=scores)
    assert all(0 <= each < 1 for each in sparsities)
    assert np.mean(sparsities) == pytest.approx(sparsity)


@pytest.mark.parametrize("name", ["lamp", "owl"])
@pytest.mark.parametrize("algorithm", ["rigl", "gradual_pruning"])
def test_sparsify_shares_connections_by_the_weights(name, algorithm):
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(9), keras.layers.Dense(5)]
    )
    for layer in network.layers:
        layer.kernel.assign(np.random.normal(size=layer.kernel.shape) ** 3)
    scores = [np.abs(layer.kernel) for layer in network.layers]

    model = rigl_tf.sparsify(
        network, algorithm, sparsity=0.5, distribution=name, masks="magnitude"
    )

    expected = counts(scores, 0.5, distributions.get(name))
    assert model.budgets == expected != counts([np.ones((8, 9))] * 2, 0.5)
    if algorithm == "rigl":
        for kernel, score, count in zip(
            model.kernels, scores, expected, strict=True
        ):
            kept = np.array(kernel.mask)
            assert kept.sum() == count
            assert score[kept].min() > score[~kept].max()


def test_named_layers_have_their_sparsity_with_lamp():
    network = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(10, name="first"),
            keras.layers.Dense(10, name="second"),
            keras.layers.Dense(10, name="third"),
        ]
    )

    model = rigl_tf.sparsify(
        network,
        "static",
        sparsity={"first": 0.25, "*": 0.9},
        distribution="lamp",
    )

    first, *others = [int(kernel.count()) for kernel in model.kernels]
    assert first == 60 and sum(others) == 20
