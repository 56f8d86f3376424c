import functools

import numpy as np
import pytest

from rigl_tf.modeling.layer_sparsities import call_distribution
from rigl_tf.modeling.layer_sparsities import with_layers
from rigl_tf.sparsity import distributions

NAMES = ["stem", "block/conv_1", "block/conv_2", "fc", "logits"]
SHAPES = [(3, 3, 3, 8), (3, 3, 8, 8), (1, 1, 8, 16), (16, 32), (32, 10)]
SCORES = [np.random.default_rng(0).random(shape) ** 4 for shape in SHAPES]
EVERY = sorted(distributions.DISTRIBUTIONS)


def share(by_layer, distribution="uniform_all", **keywords):
    distribution = distributions.get(distribution)
    function = with_layers(distribution, by_layer)
    return function(SHAPES, None, names=NAMES, scores=SCORES, **keywords)


@pytest.mark.parametrize(
    "by_layer, expected",
    [
        ({"*": 0.9}, [0.9] * 5),
        ({"conv*": 0.5}, [0, 0.5, 0.5, 0, 0]),
        ({"block": 0.5, "*": 0.9}, [0.9, 0.5, 0.5, 0.9, 0.9]),
        ({"*": 0.9, "fc": 0.5}, [0.9, 0.9, 0.9, 0.5, 0.9]),
        ({"conv_1": 0.3, "conv*": 0.5}, [0, 0.3, 0.5, 0, 0]),
        ({"block/conv_2": 0, "*": 0.9}, [0.9, 0.9, 0, 0.9, 0.9]),
        ({"s*": 0.1, "block": 0.2, "fc": 0.3, "l*": 0.4, "*": 0.9},)
        + ([0.1, 0.2, 0.2, 0.3, 0.4],),
    ],
)
def test_the_first_match_counts_and_the_star_comes_last(by_layer, expected):
    assert share(by_layer) == expected


@pytest.mark.parametrize("distribution", EVERY)
def test_layers_that_are_not_named_stay_dense_without_a_star(distribution):
    assert share({"fc": 0.5}, distribution) == [0, 0, 0, 0.5, 0]


@pytest.mark.parametrize("distribution", EVERY)
def test_the_star_is_shared_as_if_the_named_layers_were_not_there(distribution):
    sparsities = share({"block": 0.5, "*": 0.8}, distribution)

    others = [0, 3, 4]
    expected = call_distribution(
        distributions.get(distribution),
        [SHAPES[i] for i in others],
        0.8,
        [NAMES[i] for i in others],
        NAMES[0],
        [SCORES[i] for i in others],
    )
    assert [sparsities[i] for i in others] == pytest.approx(expected)
    assert sparsities[1:3] == [0.5, 0.5]


def test_the_first_layer_of_uniform_is_dense_unless_it_is_named():
    by_layer = {"fc": 0.5, "*": 0.9}

    assert share(by_layer, "uniform") == [0, 0.9, 0.9, 0.5, 0.9]
    assert share(by_layer, "uniform", first=()) == [0.9, 0.9, 0.9, 0.5, 0.9]
    assert share({"stem": 0.5, "*": 0.9}, "uniform") == [0.5] + [0.9] * 4


@pytest.mark.parametrize(
    "by_layer, error, helps",
    [
        ({"conv_3": 0.5}, ValueError, "sparsity='conv_3'. Layers: block/conv_"),
        ({"conv*": 0.5, "conv_1": 0.3}, ValueError, "'conv_1'.*before them"),
        ({3: 0.5}, TypeError, "`sparsity` takes names"),
    ],
)
def test_a_key_without_a_layer_is_refused(by_layer, error, helps):
    with pytest.raises(error, match=helps):
        share(by_layer)


@pytest.mark.parametrize(
    "distribution, helps",
    [
        (functools.partial(distributions.uniform, custom={}), "Use one of"),
        (lambda shapes, sparsity: [sparsity] * 5, "Give your function"),
    ],
)
def test_a_distribution_must_be_free_to_take_custom(distribution, helps):
    with pytest.raises(TypeError, match=helps):
        share({"fc": 0.5, "*": 0.9}, distribution)


def test_two_wishes_for_one_layer_are_refused():
    keeps_fc = functools.partial(distributions.uniform, dense=["fc"])

    with pytest.raises(ValueError, match="asks for 0.5 in 'fc'.*returns 0.0"):
        share({"fc": 0.5, "*": 0.9}, keeps_fc)


@pytest.mark.parametrize(
    "first, expected",
    [
        ("stem", [0.0, 0.5, 0.5, 0.5, 0.5]),
        ("block", [0.5, 0.0, 0.0, 0.5, 0.5]),
        (["stem", "fc"], [0.0, 0.5, 0.5, 0.0, 0.5]),
        (["embedding"], [0.5] * 5),
        ((), [0.5] * 5),
        (None, [0.5] * 5),
    ],
)
@pytest.mark.parametrize("is_partial", [True, False])
def test_uniform_is_told_the_first_layer(first, expected, is_partial):
    uniform = distributions.uniform
    if is_partial:
        uniform = functools.partial(uniform, dense=())

    assert call_distribution(uniform, SHAPES, 0.5, NAMES, first) == expected


def test_a_first_layer_that_is_bound_stays():
    uniform = functools.partial(distributions.uniform, first="fc")

    sparsities = call_distribution(uniform, SHAPES, 0.5, NAMES, "stem")

    assert sparsities == [0.5, 0.5, 0.5, 0, 0.5]


class Mine:
    def __call__(self, shapes, sparsity, names, **keywords):
        return [len(names), sorted(keywords)]


@pytest.mark.parametrize(
    "function, expected",
    [
        (lambda shapes, sparsity: [sparsity], [0.5]),
        (lambda shapes, sparsity, names: names, NAMES),
        (lambda shapes, sparsity, *, first: first, ["stem"]),
        (lambda shapes, sparsity, names=(), power=2: [power], [2]),
        (Mine(), [5, ["first"]]),
    ],
)
def test_a_function_receives_the_arguments_that_it_has(function, expected):
    assert call_distribution(function, SHAPES, 0.5, NAMES, "stem") == expected
