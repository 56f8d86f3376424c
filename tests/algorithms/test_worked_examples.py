"""One update of each algorithm, small enough to check by eye."""

import numpy as np
import pytest
import tensorflow as tf

from rigl_tf import algorithms
from rigl_tf import masks
from rigl_tf.algorithms import LayerView
from rigl_tf.algorithms import Request


def view(weight, mask, seed=(0, 0), **others):
    return LayerView(
        weight=tf.constant(weight, tf.float32),
        mask=tf.constant(np.array(mask, bool)),
        gradient=None,
        momentum=None,
        seed=tf.constant(seed, tf.int64),
    )._replace(**{name: tf.constant(v) for name, v in others.items()})


def budgets(*granted):
    return Request(0.0, [tf.constant(n, tf.int64) for n in granted], {})


def update(algorithm, layer, num):
    return masks.drop_and_grow(
        layer.mask, algorithm.drop(layer), algorithm.grow(layer), num, num
    ).numpy()


def test_rigl_replaces_the_smallest_weight_by_the_largest_gradient():
    layer = view(
        weight=[0.9, -0.1, 0.5, 0.0, 0.0, 0.0],
        mask=[1, 1, 1, 0, 0, 0],
        gradient=[0.0, 0.1, 0.0, 0.3, -0.8, 0.2],
    )

    after = update(algorithms.RigL(), layer, 1)

    # -0.1 is the smallest active weight; -0.8 the largest inactive gradient.
    np.testing.assert_array_equal(after, [1, 0, 1, 0, 1, 0])


def test_static_grows_back_what_it_drops():
    layer = view(weight=[0.9, -0.1, 0.5, 0.0], mask=[1, 1, 1, 0])

    after = update(algorithms.Static(), layer, 2)

    np.testing.assert_array_equal(after, [1, 1, 1, 0])


def test_set_drops_by_magnitude_and_grows_anywhere():
    grown = set()
    for seed in range(40):
        layer = view(
            weight=[0.9, -0.1, 0.5, 0.0, 0.0],
            mask=[1, 1, 1, 0, 0],
            seed=(seed, 0),
        )
        after = update(algorithms.SET(), layer, 1)

        assert after[0] and after[2]  # 0.9 and 0.5 are never dropped
        grown |= set(np.flatnonzero(after)) - {0, 2}

    assert grown == {1, 3, 4}  # the dropped one may come back


def test_gradual_pruning_goes_down_to_the_budget_of_each_layer():
    layers = [
        view(weight=[0.3, 0.2, -0.1, 0.4], mask=[1, 1, 1, 1]),
        view(weight=[3.0, 2.0, 0.0], mask=[1, 1, 0]),
    ]

    drops = algorithms.GradualPruning().num_drop(layers, budgets(2, 2))

    assert [int(d) for d in drops] == [2, 0]


def test_global_pruning_ranks_all_layers_together():
    layers = [
        view(weight=[0.3, 0.2, -0.1, 0.4], mask=[1, 1, 1, 1]),
        view(weight=[3.0, 2.0, 1.0], mask=[1, 1, 1]),
    ]

    drops = algorithms.GradualPruning(scope="global").num_drop(
        layers, budgets(2, 2)
    )

    # Four may stay: 3.0, 2.0, 1.0, and the strongest of the first layer.
    assert [int(d) for d in drops] == [3, 0]


def test_global_pruning_leaves_every_layer_its_strongest():
    layers = [
        view(weight=[0.3, 0.2], mask=[1, 1]),
        view(weight=[3.0, 2.0, 1.0], mask=[1, 1, 1]),
    ]

    drops = algorithms.GradualPruning(scope="global").num_drop(
        layers, budgets(0, 2)
    )

    assert [int(d) for d in drops] == [1, 2]


def test_an_unknown_scope_is_refused():
    with pytest.raises(ValueError, match="scope='model'"):
        algorithms.GradualPruning(scope="model")


def test_an_unknown_algorithm_lists_the_known_ones():
    with pytest.raises(ValueError, match="gradual_pruning, rigl, rigl_sg"):
        algorithms.get("rig1")


def ints(scalars):
    return [int(scalar) for scalar in scalars]


def test_snfs_keeps_a_running_mean_of_the_gradient():
    layer = view([0.0, 0.5], [0, 1], momentum=[1.0, 0.0], gradient=[0.0, 2.0])

    after = algorithms.SNFS(decay=0.75).track(layer)

    np.testing.assert_allclose(after, [0.75, 0.5])


def test_snfs_grows_where_the_running_mean_is_largest():
    layer = view(
        weight=[0.9, -0.1, 0.5, 0.0, 0.0],
        mask=[1, 1, 1, 0, 0],
        momentum=[0.0, 0.1, 0.0, -0.3, 0.2],
    )

    after = update(algorithms.SNFS(), layer, 1)

    np.testing.assert_array_equal(after, [1, 0, 1, 1, 0])


@pytest.mark.parametrize(
    ("name", "seen"),
    [("snfs", "momentum"), ("rigl_sm", "momentum"), ("rigl_sg", "gradient")],
)
def test_layers_share_by_their_mean_over_active_connections(name, seen):
    layers = [
        view([1.0, 1.0, 0.0, 0.0], [1, 1, 0, 0], **{seen: [1.0, -3, 9, 9]}),
        view([1.0] + [0.0] * 9, [1] + [0] * 9, **{seen: [-6.0] + [9.0] * 9}),
    ]

    grown = algorithms.get(name).redistribute(layers, [1, 3])

    # The means are 2 and 6: a quarter of four, and three quarters.
    assert ints(grown) == [1, 3]


def test_what_a_full_layer_cannot_take_goes_to_the_others():
    layers = [
        view([1.0, 0.0], [1, 0], gradient=[9.0, 0.0]),
        view([1.0, 0, 0, 0], [1, 0, 0, 0], gradient=[1.0, 0, 0, 0]),
    ]

    grown = algorithms.RigLSG().redistribute(layers, [2, 1])

    assert ints(grown) == [1, 2]


def test_dsr_drops_below_one_threshold_and_grows_where_most_survives():
    dsr = algorithms.DSR(threshold=0.2)
    layers = [
        view([0.3, 0.4, -0.5, 0.1, 0, 0, 0, 0], [1, 1, 1, 1, 0, 0, 0, 0]),
        view([0.1, -0.15, 0.9, 0, 0, 0], [1, 1, 1, 0, 0, 0]),
    ]
    wanted = Request(0.3, None, {"threshold": tf.constant(0.2)})

    drops = dsr.num_drop(layers, wanted)
    left = [
        view([0.3, 0.4, -0.5, 0.1, 0, 0, 0, 0], [1, 1, 1, 0, 0, 0, 0, 0]),
        view([0.1, -0.15, 0.9, 0, 0, 0], [0, 0, 1, 0, 0, 0]),
    ]
    grown = dsr.redistribute(left, drops)

    assert ints(drops) == [1, 2]
    # 3 and 1 survive: of three connections, 2.25 and 0.75.
    assert ints(grown) == [2, 1]


@pytest.mark.parametrize(
    ("num_dropped", "after"),
    [(89, 0.4), (90, 0.2), (110, 0.2), (111, 0.1)],
)
def test_the_threshold_of_dsr_adapts_to_the_number_wanted(num_dropped, after):
    dsr = algorithms.DSR(num_wanted=100)
    wanted = Request(0.0, None, {"threshold": tf.constant(0.2)})

    state = dsr.next_state([], wanted, [tf.constant(num_dropped, tf.int64)])

    assert float(state["threshold"]) == pytest.approx(after)


def test_dsr_wants_the_drop_fraction_of_what_was_active():
    wanted = Request(0.5, None, {"threshold": tf.constant(1.0)})
    left = [view([1.0] * 6, [1] * 6)]

    state = algorithms.DSR().next_state(
        left, wanted, [tf.constant(2, tf.int64)]
    )

    # 2 of 8 were dropped, and 4 wanted.
    assert float(state["threshold"]) == 2.0


def test_deepr_drops_the_weights_that_have_crossed_zero():
    layer = view(
        weight=[0.3, -0.1, -0.2, 0.0, 0.0],
        mask=[1, 1, 1, 1, 0],
        sign=[1.0, 1.0, -1.0, -1.0, 1.0],
    )
    deepr = algorithms.DeepR()

    (num,) = deepr.num_drop([layer], None)
    kept = masks.drop_and_grow(layer.mask, deepr.drop(layer), [], num, 0)

    # -0.1 should be positive; 0.0 has not crossed.
    assert int(num) == 1
    np.testing.assert_array_equal(kept, [1, 0, 1, 1, 0])


def test_deepr_pulls_to_zero_and_walks_at_random():
    sign = [1.0, -1.0] * 5000
    layer = view([0.0] * 10000, [1] * 10000, sign=sign)

    pull = algorithms.DeepR(l1=0.5, temperature=0.0).perturb(layer, 0.1)
    walk = algorithms.DeepR(l1=0.0, temperature=2.0).perturb(layer, 0.1)

    np.testing.assert_allclose(pull, 0.5 * np.array(sign))
    # A step of 0.1 times this is sqrt(2 x 0.1 x 2) = 0.632.
    assert np.std(0.1 * walk) == pytest.approx(0.632, rel=0.03)


def test_ggr_counts_the_largest_gradients_of_all_layers():
    layers = [
        view([1.0, 0, 0, 0], [1, 0, 0, 0], gradient=[9.0, 0.8, 0.1, 0.2]),
        view([1.0, 0, 0, 0], [1, 0, 0, 0], gradient=[9.0, -0.7, 0.6, 0.5]),
    ]

    grown = algorithms.GGR().redistribute(layers, [2, 2])

    # 0.8, -0.7, 0.6 and 0.5.
    assert ints(grown) == [1, 3]


@pytest.mark.parametrize(
    ("name", "by_gradient"),
    [("ggr", 2), ("set_rigl", 2), ("ggr_rigl", 3), ("ggr_set", 0)],
)
def test_half_grows_by_gradient_and_half_at_random(name, by_gradient):
    gradient = np.arange(1000.0)
    always = np.ones(1000, bool)
    for seed in range(30):
        layer = view(
            [0.0] * 1000, [0] * 1000, gradient=gradient, seed=(seed, 0)
        )
        grown = masks.grow(layer.mask, algorithms.get(name).grow(layer), 3)

        assert np.sum(grown) == 3
        always &= grown.numpy()

    # Those with the largest gradients grow whatever the seed.
    np.testing.assert_array_equal(
        np.flatnonzero(always), np.arange(1000)[1000 - by_gradient :]
    )


def test_rewire_drops_and_grows_by_the_scores_that_it_is_told():
    layer = view(
        weight=[0.9, -0.1, 0.5, 0.0, 0.0, 0.0],
        mask=[1, 1, 1, 0, 0, 0],
        gradient=[0.1, 9.0, 0.1, 0.3, -0.8, 0.2],
    )
    rewire = algorithms.Rewire(drop_by="saliency", grow_by=("gradient",))

    after = update(rewire, layer, 1)

    # |0.5 x 0.1| is the least; -0.8 the largest inactive gradient.
    np.testing.assert_array_equal(after, [1, 1, 0, 0, 1, 0])


def test_rewire_knows_what_it_needs():
    at_random = algorithms.Rewire(grow_by=("random",))
    by_both = algorithms.Rewire(grow_by=("gradient", "momentum"))

    assert not at_random.needs_gradient and not at_random.needs_momentum
    assert by_both.needs_gradient and by_both.needs_momentum


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: algorithms.SNFS(decay=1.0), "decay=1.0"),
        (lambda: algorithms.DSR(threshold=0.0), "threshold=0.0"),
        (lambda: algorithms.DSR(num_wanted=0), "num_wanted=0"),
        (lambda: algorithms.DeepR(l1=-1.0), "l1=-1.0"),
        (lambda: algorithms.DeepR(temperature=np.nan), "temperature=nan"),
        (lambda: algorithms.Rewire(drop_by="size"), "no score 'size'"),
        (lambda: algorithms.Rewire(grow_by="random"), "grow_by='random'"),
    ],
)
def test_hyperparameters_out_of_range_are_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()
