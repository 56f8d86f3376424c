"""Distributions, against the original code's numbers.

The original leaves floor(sparsity x size) zeros in each layer. `zeros` counts
them from our sparsities; our own budgets add up exactly instead, and differ
from the original's by one connection a layer at most.
"""

import math

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from rigl_tf.sparsity import distributions
from rigl_tf.sparsity.distributions import budgets
from rigl_tf.sparsity.distributions import erdos_renyi
from rigl_tf.sparsity.distributions import erdos_renyi_kernel
from rigl_tf.sparsity.distributions import uniform
from rigl_tf.sparsity.distributions import uniform_all

few = settings(max_examples=60, deadline=None, derandomize=True)

LENET_300 = [(784, 300), (300, 100), (100, 10)]
LENET_5 = [(5, 5, 1, 6), (5, 5, 6, 16), (256, 120), (120, 84), (84, 10)]
VGG = [(3, 3, 3, 64), (3, 3, 64, 64), (3, 3, 64, 128), (3, 3, 128, 128)]
VGG += [(3, 3, 128, 256), (3, 3, 256, 256), (3, 3, 256, 256)]
VGG += [(3, 3, 256, 512), (3, 3, 512, 512), (3, 3, 512, 512)]
VGG += [(8192, 4096), (4096, 4096), (4096, 200)]


def resnet_50():
    shapes, channels = [(7, 7, 3, 64)], 64
    for width, blocks in [(64, 3), (128, 4), (256, 6), (512, 3)]:
        for block in range(blocks):
            shapes += [(1, 1, channels, width), (3, 3, width, width)]
            shapes += [(1, 1, width, 4 * width)]
            if block == 0:
                shapes += [(1, 1, channels, 4 * width)]
            channels = 4 * width
    return shapes + [(2048, 1000)]


def wrn_22_2():
    shapes = [(3, 3, 3, 16)]
    for before, width in [(16, 32), (32, 64), (64, 128)]:
        shapes += [(3, 3, before, width), (1, 1, before, width)]
        shapes += [(3, 3, width, width)] * 5
    return shapes + [(128, 10)]


def zeros(shapes, sparsities):
    return [
        math.floor(s * math.prod(shape))
        for shape, s in zip(shapes, sparsities, strict=True)
    ]


@pytest.mark.parametrize("share", [erdos_renyi_kernel, erdos_renyi])
@pytest.mark.parametrize(
    "sparsity, expected, num_zeros",
    [
        (0.8, [0.8377587693, 0.5306379155, 0], [197040, 15919, 0]),
        (0.9, [0.9204322295, 0.7698113208, 0], [216485, 23094, 0]),
        (
            0.95,
            [0.9615158673, 0.8886658302, 0.0814930991],
            [226148, 26659, 81],
        ),
        (
            0.98,
            [0.9846063469, 0.9554663321, 0.6325972396],
            [231579, 28663, 632],
        ),
    ],
)
def test_lenet_300_equals_the_original(share, sparsity, expected, num_zeros):
    sparsities = share(LENET_300, sparsity)

    assert sparsities == pytest.approx(expected, abs=1e-10)
    assert zeros(LENET_300, sparsities) == num_zeros


@pytest.mark.parametrize(
    "share, expected, num_zeros",
    [
        (
            erdos_renyi_kernel,
            [0.6535730751, 0.9592438912, 0.9625871657, 0.9381380491]
            + [0.6579398011],
            [98, 2302, 29570, 9456, 552],
        ),
        (
            erdos_renyi,
            [0, 0.6143110022, 0.9794007013, 0.9659391534, 0.8116635543],
            [0, 1474, 30087, 9736, 681],
        ),
    ],
)
def test_lenet_5_equals_the_original(share, expected, num_zeros):
    sparsities = share(LENET_5, 0.95)

    assert sparsities == pytest.approx(expected, abs=1e-10)
    assert zeros(LENET_5, sparsities) == num_zeros
    assert sum(num_zeros) == 41978


@pytest.mark.parametrize(
    "shapes, sparsity, expected",
    [
        ([(8, 6), (4, 3)], 0.7, [0.7361111111, 0.4722222222]),
        ([(80, 4), (20, 20)], 0.8, [0.6951612903, 0.8838709677]),
        ([(2, 6), (2, 3)], 0.8, [0.7435897436, 0.6794871795]),
        ([(1, 1, 2, 3)] * 2, 0.3, [0.1666666667] * 2),
    ],
)
def test_erdos_renyi_pairs_equal_the_original(shapes, sparsity, expected):
    assert erdos_renyi(shapes, sparsity) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize(
    "sparsity, expected",
    [
        (0.4, [0.3863636364, 0.3181818182, 0.8]),
        (0.9, [0.8636363636, 0.8484848485, 0.8]),
        (0.1, [0, 0, 0.8]),
    ],
)
def test_custom_layers_stand_outside_the_budget(sparsity, expected):
    shapes = [(2, 4), (2, 3), (1, 1, 3)]

    sparsities = erdos_renyi(shapes, sparsity, custom={"layer_2": 0.8})

    assert sparsities == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("kept", [{"custom": {"fc*": 0}}, {"dense": ["fc"]}])
def test_dense_layers_stand_outside_the_budget(kept):
    sparsities = erdos_renyi_kernel(
        LENET_300, 0.9, names=["a", "b", "fc"], **kept
    )
    num_zeros = zeros(LENET_300, sparsities)

    assert sparsities == pytest.approx([0.9176371088, 0.7617250674, 0])
    assert num_zeros == [215828, 22851, 0]
    assert sum(num_zeros) / 266200 == pytest.approx(0.89661533, abs=1e-8)


@pytest.mark.parametrize(
    "share, sparsity, num_dense, num_zeros, some",
    [
        (
            erdos_renyi_kernel,
            0.8,
            8,
            20402282,
            {
                (7, 7, 3, 64): 0.142805,
                (3, 3, 64, 64): 0.638095,
                (1, 1, 64, 64): 0,
                (1, 1, 64, 256): 0,
                (1, 1, 256, 64): 0,
                (1, 1, 256, 128): 0,
                (1, 1, 256, 512): 0.415112,
                (3, 3, 256, 256): 0.912562,
                (3, 3, 512, 512): 0.956534,
                (1, 1, 512, 2048): 0.756740,
                (1, 1, 1024, 2048): 0.854063,
                (2048, 1000): 0.851824,
            },
        ),
        (
            erdos_renyi_kernel,
            0.9,
            1,
            22952559,
            {
                (7, 7, 3, 64): 0.579962,
                (1, 1, 64, 64): 0,
                (3, 3, 512, 512): 0.978701,
                (2048, 1000): 0.927392,
            },
        ),
        (
            erdos_renyi_kernel,
            0.95,
            0,
            24227712,
            {
                (7, 7, 3, 64): 0.790163,
                (3, 3, 512, 512): 0.989360,
                (2048, 1000): 0.963727,
            },
        ),
        (
            erdos_renyi,
            0.9,
            1,
            22952576,
            {
                (7, 7, 3, 64): 0,
                (3, 3, 512, 512): 0.911765,
                (2048, 1000): 0.966382,
            },
        ),
    ],
)
def test_resnet_50_equals_the_original(
    share, sparsity, num_dense, num_zeros, some
):
    shapes = resnet_50()
    sparsities = share(shapes, sparsity)
    by_shape = dict(zip(shapes, sparsities))

    assert (len(shapes), sum(map(math.prod, shapes))) == (54, 25502912)
    assert sparsities.count(0.0) == num_dense
    assert sum(zeros(shapes, sparsities)) == num_zeros
    assert {s: by_shape[s] for s in some} == pytest.approx(some, abs=1e-6)


# Densities of the reproduction, whose epsilon differs in the fifth digit: it
# truncates density x size, where we, as the original, truncate sparsity x size.
WRN_22_2 = {
    (3, 3, 3, 16): (1, 1, 1, 1),
    (3, 3, 16, 32): (0.421073, 0.885949, 0.424998, 0.851755),
    (3, 3, 32, 32): (0.272918, 0.574226, 0.283332, 0.567836),
    (1, 1, 16, 32): (1, 1, 0.424998, 0.851755),
    (3, 3, 32, 64): (0.198840, 0.418365, 0.212499, 0.425877),
    (3, 3, 64, 64): (0.130611, 0.274808, 0.141666, 0.283918),
    (1, 1, 32, 64): (1, 1, 0.212499, 0.425877),
    (3, 3, 64, 128): (0.096496, 0.203030, 0.106249, 0.212939),
    (3, 3, 128, 128): (0.063843, 0.134328, 0.070833, 0.141959),
    (1, 1, 64, 128): (0.850918, 1, 0.106249, 0.212939),
    (128, 10): (1, 1, 0.488747, 0.979518),
}


@pytest.mark.parametrize(
    "column, share, density",
    [
        (0, erdos_renyi_kernel, 0.1),
        (1, erdos_renyi_kernel, 0.2),
        (2, erdos_renyi, 0.1),
        (3, erdos_renyi, 0.2),
    ],
)
def test_wrn_22_2_is_close_to_the_reproduction(column, share, density):
    shapes = wrn_22_2()
    by_shape = dict(zip(shapes, share(shapes, 1 - density)))

    assert (len(shapes), sum(map(math.prod, shapes))) == (23, 1076912)
    for shape, expected in WRN_22_2.items():
        reproduced = pytest.approx(expected[column], rel=3e-4)
        assert 1 - by_shape[shape] == reproduced, shape


def test_epsilon_of_wrn_22_2_is_the_untruncated_one_to_four_digits():
    shape = (3, 3, 128, 128)
    by_shape = dict(zip(wrn_22_2(), erdos_renyi_kernel(wrn_22_2(), 0.9)))

    epsilon = (1 - by_shape[shape]) * math.prod(shape) / sum(shape)

    assert epsilon == pytest.approx(35.934399, rel=2e-4)  # not truncated
    assert epsilon == pytest.approx(35.931550, rel=2e-4)  # the reproduction's


@pytest.mark.parametrize(
    "density, num_dense", [(0.05, 3), (0.1, 4), (0.2, 5), (0.5, 12)]
)
def test_wrn_22_2_has_the_dense_layers_of_the_reproduction(density, num_dense):
    sparsities = erdos_renyi_kernel(wrn_22_2(), 1 - density)

    assert sparsities.count(0.0) == num_dense


def test_budgets_of_vgg_16_are_within_one_of_those_derived_for_ggr():
    active = budgets(VGG, erdos_renyi_kernel(VGG, 0.97))

    derived = {0: 1728, 1: 7968, 9: 61243, 10: 730634, 11: 487089, 12: 255437}
    assert {i: active[i] for i in derived} == pytest.approx(derived, abs=1)
    assert sum(math.prod(shape) for shape in VGG) == 58_783_424
    # 3 % to the connection, plus less than one a layer, as in the original.
    assert 1763503 <= sum(active) < 1763503 + len(VGG)


@pytest.mark.parametrize(
    "shape, sparsity, num_zeros",
    [
        ((30, 4), 0.5, 60),
        ((1, 2, 1, 4), 0.8, 6),
        ((30,), 0.1, 3),
        ((3,), 0.1, 0),
        ((300, 100), 0.98, 29400),
    ],
)
def test_budgets_of_one_layer_equal_the_original(shape, sparsity, num_zeros):
    assert budgets([shape], [sparsity]) == [math.prod(shape) - num_zeros]


shapes_lists = st.lists(
    st.lists(st.integers(2, 40), min_size=2, max_size=4).map(tuple),
    min_size=1,
    max_size=6,
)


@few
@given(shapes_lists, st.data())
def test_budgets_add_up_and_none_is_off_by_one(shapes, data):
    sparsities = [data.draw(st.floats(0, 0.75)) for _ in shapes]
    sizes = [math.prod(shape) for shape in shapes]
    due = [n * (1 - s) for n, s in zip(sizes, sparsities)]

    active = budgets(shapes, sparsities)

    assert abs(sum(active) - math.fsum(due)) <= 0.5 + 1e-6
    assert all(1 <= a <= n for a, n in zip(active, sizes))
    assert all(abs(a - d) < 1 + 1e-6 for a, d in zip(active, due))


@few
@given(
    st.sampled_from([erdos_renyi, erdos_renyi_kernel]),
    shapes_lists,
    st.floats(0, 0.7),
)
def test_shares_meet_the_budget_of_the_original(share, shapes, sparsity):
    sizes = [math.prod(shape) for shape in shapes]
    wanted = sum(n - math.floor(sparsity * n) for n in sizes)

    sparsities = share(shapes, sparsity)
    original = [n - z for n, z in zip(sizes, zeros(shapes, sparsities))]

    assert all(0 <= s < 1 for s in sparsities)
    active = budgets(shapes, sparsities)
    assert sum(active) == wanted
    assert all(abs(a - b) <= 1 for a, b in zip(active, original))


@few
@given(shapes_lists, st.floats(0.1, 0.9), st.floats(0.2, 2))
def test_open_layers_have_densities_in_proportion(shapes, sparsity, power):
    sparsities = erdos_renyi_kernel(shapes, sparsity, power=power)

    epsilons = [
        (1 - s) * (math.prod(shape) / sum(shape)) ** power
        for shape, s in zip(shapes, sparsities)
    ]
    in_part = [e for e, s in zip(epsilons, sparsities) if s > 0]
    full = [e for e, s in zip(epsilons, sparsities) if s == 0]
    if in_part:
        assert max(in_part) == pytest.approx(min(in_part), rel=1e-6)
        # A full layer was due its size or more.
        assert max(full, default=0) <= min(in_part) * (1 + 1e-6)


def test_power_0_is_uniform():
    shapes = [(20, 10), (3, 3, 10, 20), (10, 100)]

    sparsities = erdos_renyi_kernel(shapes, 0.9, power=0)

    assert sparsities == pytest.approx([0.9] * 3)
    assert uniform_all(shapes, 0.9) == [0.9] * 3


def test_uniform_keeps_the_first_layer_unless_told():
    shapes = [(4, 4)] * 4

    assert uniform(shapes, 0.5) == [0, 0.5, 0.5, 0.5]
    assert uniform(shapes, 0.5, custom={"layer_0": 0.25}) == [0.25] + [0.5] * 3
    assert uniform(
        shapes, 0.5, dense="layer_3", custom={"layer_[12]": 0.75}
    ) == [0, 0.75, 0.75, 0]


GRU = ["gru/kernel", "gru/recurrent_kernel", "hidden", "logits"]
ATTENTION = ["mha/query", "mha/key", "mha/value", "mha/attention_output", "fc"]
BOTH_WAYS = ["bi/forward_gru/kernel", "bi/backward_gru/kernel", "fc"]
NESTED = ["block/conv_1", "block/conv_2", "fc"]


@pytest.mark.parametrize(
    "names, first",
    [
        (GRU, GRU[:2]),
        (ATTENTION, ATTENTION[:4]),
        (BOTH_WAYS, BOTH_WAYS[:2]),
        (NESTED, NESTED[:1]),
        (["block/kernel", "block/conv", "fc"], ["block/kernel"]),
        (["kernel", "key"], ["kernel"]),
        ([], []),
    ],
)
def test_the_first_layer_has_all_its_kernels_and_no_others(names, first):
    assert distributions.first_layer(names) == first


@pytest.mark.parametrize(
    "keywords, expected",
    [
        ({}, [0, 0, 0.5, 0.5]),
        ({"first": None}, [0.5] * 4),
        ({"first": []}, [0.5] * 4),
        ({"first": "gru"}, [0, 0, 0.5, 0.5]),
        ({"first": ["gru/kernel"]}, [0, 0.5, 0.5, 0.5]),
        ({"first": ("gru", "hidden")}, [0, 0, 0, 0.5]),
        ({"custom": {"gru/kernel": 0.25}}, [0.25, 0, 0.5, 0.5]),
        ({"first": None, "dense": "hidden"}, [0.5, 0.5, 0, 0.5]),
        ({"custom": {"*": 0.25}, "dense": "logits"}, [0.25, 0.25, 0.25, 0]),
    ],
)
def test_uniform_keeps_dense_the_first_layer_that_it_is_given(
    keywords, expected
):
    assert uniform([(4, 4)] * 4, 0.5, names=GRU, **keywords) == expected


def test_a_first_layer_that_is_not_there_is_an_error():
    with pytest.raises(ValueError, match=r"`first`.*'hiden'. Layers: hidden"):
        uniform([(4, 4)] * 4, 0.5, names=GRU, first="hiden")


@pytest.mark.parametrize("share", [uniform_all, erdos_renyi_kernel])
def test_the_first_layer_is_a_matter_of_uniform_alone(share):
    assert share(LENET_300, 0.95, first="layer_0") == share(LENET_300, 0.95)


@pytest.mark.parametrize(
    "name, share",
    [
        ("erk", erdos_renyi_kernel),
        ("ERK", erdos_renyi_kernel),
        ("er", erdos_renyi),
        ("Uniform", uniform),
        ("uniform-all", uniform_all),
        (uniform, uniform),
    ],
)
def test_a_distribution_has_a_short_name(name, share):
    assert distributions.get(name) is share


def test_a_misspelt_distribution_is_corrected():
    with pytest.raises(ValueError, match="mean 'uniform'.*'unifrom'"):
        distributions.get("unifrom")


@pytest.mark.parametrize("name", [0.9, None, ["uniform"]])
def test_a_distribution_without_a_name_is_refused(name):
    with pytest.raises(TypeError, match=r"`rigl_tf.distributions.*tion="):
        distributions.get(name)


def test_sparsity_0_keeps_everything():
    for share in (uniform, erdos_renyi, erdos_renyi_kernel):
        assert share(LENET_5, 0.0) == pytest.approx([0] * 5, abs=1e-12)
        assert budgets(LENET_5, share(LENET_5, 0.0)) == [
            math.prod(shape) for shape in LENET_5
        ]


def test_rounding_makes_no_sparsity_negative():
    # In floats, 18 / (11 / 18 * 18) * (11 / 18) is more than 1.
    assert erdos_renyi([(2, 9)], 0.0) == [0.0]


@pytest.mark.parametrize("argument", ["custom", "dense"])
@pytest.mark.parametrize("share", [uniform, erdos_renyi, erdos_renyi_kernel])
def test_an_unknown_name_lists_close_ones(share, argument):
    names = ["hidden_1", "hidden_2", "logits"]

    with pytest.raises(ValueError, match=f"`{argument}`.*'logit'") as error:
        share(LENET_300, 0.9, names=names, **{argument: {"logit": 0.5}})

    assert str(error.value).endswith("Layers: logits.")


def test_a_pattern_that_matches_nothing_lists_all_names():
    with pytest.raises(ValueError, match="layer_0, layer_1, layer_2"):
        uniform(LENET_300, 0.9, dense=["zzz*"])


@pytest.mark.parametrize("share", [uniform, erdos_renyi, erdos_renyi_kernel])
@pytest.mark.parametrize(
    "sparsity", [-0.1, 1, 1.0, 1.5, math.nan, math.inf, "0.9", None, True]
)
def test_a_sparsity_out_of_range_is_named(share, sparsity):
    with pytest.raises(ValueError, match=r"`sparsity`.*\[0, 1\).*sparsity="):
        share(LENET_300, sparsity)
    with pytest.raises(ValueError, match=r"`custom\['layer_1'\]`"):
        share(LENET_300, 0.9, custom={"layer_1": sparsity})


def test_an_impossible_target_shows_a_table_of_layers():
    with pytest.raises(ValueError, match="at least one connection") as error:
        budgets([(784, 300), (2, 2)], [0.9, 0.99], names=["big", "tiny"])

    assert str(error.value).splitlines()[1:] == [
        "| layer | shape      | sparsity | active |",
        "|-------|------------|----------|--------|",
        "| big   | (784, 300) | 0.900000 | 23520  |",
        "| tiny  | (2, 2)     | 0.990000 | 0      |",
    ]


def test_budgets_need_a_sparsity_for_each_shape():
    with pytest.raises(ValueError, match="1 sparsities for 2 shapes"):
        budgets([(4, 4), (4, 2)], [0.5])


def test_nothing_left_to_distribute_is_an_error():
    with pytest.raises(ValueError, match="must be neither dense nor custom"):
        erdos_renyi_kernel(
            LENET_300, 0.9, dense=["layer_0"], custom={"layer_[12]": 0.5}
        )


def test_erdos_renyi_refuses_one_dimension():
    with pytest.raises(ValueError, match=r"kernel of shape \(7,\)"):
        erdos_renyi([(3, 4), (7,)], 0.5)
