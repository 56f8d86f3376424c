"""One update of each algorithm, small enough to check by eye."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from rigl_tf import algorithms
from rigl_tf.algorithms import KernelView
from rigl_tf.algorithms import RandomNumbers
from rigl_tf.algorithms import Request
from rigl_tf.algorithms import chts
from rigl_tf.algorithms import scores
from rigl_tf.kernels import coo_kernel
from rigl_tf.sparsity import kernel_layout
from rigl_tf.sparsity import masks
from rigl_tf.sparsity import schedules
from tests.updates import STORAGES
from tests.updates import mask_after_update

in_every_storage = pytest.mark.parametrize("stored", STORAGES)


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    """So that the smallest kernel has several, the last one not full."""
    monkeypatch.setattr(coo_kernel, "_TILE", 4)


def view(weight, mask, seed=0, **others):
    return KernelView(
        weight=tf.constant(weight, tf.float32),
        mask=tf.constant(np.array(mask, bool)),
        random_numbers=RandomNumbers(np.shape(mask), seed),
        **{name: tf.constant(v) for name, v in others.items()},
    )


def budgets(*granted):
    counts = [tf.constant(n, tf.int64) for n in granted]
    return Request([0.0] * len(counts), counts, {})


def wanted(fraction=0.0, num_layers=1, **state):
    state = {name: tf.constant(value) for name, value in state.items()}
    return Request([fraction] * num_layers, None, state)


def allocated(algorithm, layers, request):
    """The request after the sparsity is shared among layers."""
    return request._replace(budgets=algorithm.allocate(layers, request))


@in_every_storage
def test_rigl_replaces_the_smallest_weight_by_the_largest_gradient(stored):
    after = mask_after_update(
        algorithms.RigL(),
        weight=[0.9, -0.1, 0.5, 0.0, 0.0, 0.0],
        mask=[1, 1, 1, 0, 0, 0],
        gradient=[0.0, 0.1, 0.0, 0.3, -0.8, 0.2],
        num=1,
        stored=stored,
    )

    # -0.1 is the smallest active weight; -0.8 the largest inactive gradient.
    np.testing.assert_array_equal(after, [1, 0, 1, 0, 1, 0])


@in_every_storage
def test_static_grows_back_what_it_drops(stored):
    after = mask_after_update(
        algorithms.Static(),
        weight=[0.9, -0.1, 0.5, 0.0, 0.0],
        mask=[1, 1, 1, 0, 0],
        num=2,
        stored=stored,
    )

    np.testing.assert_array_equal(after, [1, 1, 1, 0, 0])


@pytest.mark.few(1)
@in_every_storage
def test_set_drops_by_magnitude_and_grows_anywhere(stored):
    grown = set()
    for seed in range(40):
        after = mask_after_update(
            algorithms.SET(),
            weight=[0.9, -0.1, 0.5, 0.0, 0.0],
            mask=[1, 1, 1, 0, 0],
            num=1,
            stored=stored,
            seed=seed,
        )

        assert after[0] and after[2]  # 0.9 and 0.5 are never dropped
        grown |= set(np.flatnonzero(after)) - {0, 2}

    assert grown == {1, 3, 4}  # the dropped one may come back


def test_the_number_to_drop_is_exact_above_two_to_the_24():
    size = 2**24 + 3  # not a 32-bit float

    (num,) = algorithms.SET().num_drop(
        [KernelView(weight=None, mask=tf.ones([size], tf.bool))], wanted(1.0)
    )

    assert int(num) == size


def test_random_growth_is_the_same_in_every_storage():
    mask = np.arange(50) % 5 == 0
    for algorithm in (
        algorithms.SET(),
        algorithms.Rewire("random", ("random",)),
    ):
        dense, *others = (
            mask_after_update(algorithm, np.ones(50), mask, 4, stored, seed=3)
            for stored in STORAGES
        )

        assert np.any(dense != mask)
        for other in others:
            np.testing.assert_array_equal(other, dense)


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

    pruning = algorithms.GradualPruning(scope="global")
    drops = pruning.num_drop(layers, allocated(pruning, layers, budgets(2, 2)))

    # Four may stay: 3.0, 2.0, 1.0, and the strongest of the first layer.
    assert [int(d) for d in drops] == [3, 0]


def test_global_pruning_leaves_every_layer_its_strongest():
    layers = [
        view(weight=[0.3, 0.2], mask=[1, 1]),
        view(weight=[3.0, 2.0, 1.0], mask=[1, 1, 1]),
    ]

    pruning = algorithms.GradualPruning(scope="global")
    drops = pruning.num_drop(layers, allocated(pruning, layers, budgets(0, 2)))

    assert [int(d) for d in drops] == [1, 2]


def test_granet_prunes_all_layers_together_and_then_replaces_a_part():
    granet = algorithms.GraNet()
    first = view([9.0, 8, 7, 1], [1, 1, 1, 1])
    second = view([6.0, 0.5, 0, 0, 0], [1, 1, 0, 0, 0])
    layers = [first, second]
    four = budgets(2, 2)._replace(fractions=[0.5, 0.5])

    request = allocated(granet, layers, four)
    drops = granet.num_drop(layers, request)
    left = [
        dataclasses.replace(
            first, mask=tf.constant([True, True, False, False])
        ),
        dataclasses.replace(second, mask=tf.constant([True] + 4 * [False])),
    ]
    grows = granet.redistribute(left, drops, request)

    # The largest four are 9, 8, 7 and 6: three and one. Half of three is one.
    assert ints(request.budgets) == [3, 1]
    assert ints(drops) == [1 + 1, 1]
    assert ints(grows) == [1, 0]


@in_every_storage
def test_granet_grows_the_largest_gradients(stored):
    after = mask_after_update(
        algorithms.GraNet(),
        weight=[0.9, -0.1, 0.5, 0.0, 0.0, 0.0],
        mask=[1, 1, 1, 0, 0, 0],
        gradient=[0.0, 0.1, 0.0, 0.3, -0.8, 0.2],
        num=1,
        stored=stored,
    )

    np.testing.assert_array_equal(after, [1, 0, 1, 0, 1, 0])


def test_granet_shares_what_a_falling_sparsity_adds():
    layers = [view([9.0, 0], [1, 0]), view([1.0, 0, 0, 0], [1, 0, 0, 0])]

    request = allocated(algorithms.GraNet(), layers, budgets(2, 4))

    assert ints(request.budgets) == [2, 4]


def test_granet_starts_at_half_and_reaches_its_sparsity_half_way():
    schedule = algorithms.GraNet().sparsity_schedule(0.9)
    updates = schedules.UpdateSchedule(100, end_step=1001)

    schedule = schedules.resolve_steps(schedule, updates)

    sparsities = [float(schedule(step)) for step in (0, 250, 500, 1000)]
    np.testing.assert_allclose(sparsities, [0.5, 0.9 - 0.4 / 8, 0.9, 0.9])


def test_the_first_update_of_gradual_pruning_can_prune_a_part():
    pruning = algorithms.GradualPruning(initial_sparsity=0.5)

    schedule = pruning.sparsity_schedule(0.9)

    assert schedule == schedules.PolynomialSparsity(0.9, initial=0.5)
    assert pruning.sparsity_schedule(0.2).initial == 0.2


@pytest.mark.few(1)
@in_every_storage
def test_mest_keeps_small_weights_with_large_gradients(stored):
    grown = set()
    for seed in range(20):
        after = mask_after_update(
            algorithms.MEST(gradient_weight=1.0),
            weight=[0.9, -0.1, 0.5, 0.0, 0.0],
            mask=[1, 1, 1, 0, 0],
            gradient=[0.0, -0.6, 0.1, 9.0, 0.0],
            num=1,
            stored=stored,
            seed=seed,
        )

        # The scores are 0.9, 0.7 and 0.6.
        assert after[0] and after[1]
        grown |= set(np.flatnonzero(after)) - {0, 1}

    assert grown == {2, 3, 4}


def test_mest_without_a_weight_of_the_gradient_drops_by_magnitude():
    mest = algorithms.MEST(gradient_weight=0)

    drop_scores = mest.drop(view([0.9, -0.1], [1, 1]))

    assert not mest.needs_gradient
    np.testing.assert_allclose(drop_scores, [0.9, 0.1])


def test_mest_with_a_soft_bound_drops_to_the_final_sparsity():
    mest = algorithms.MEST()
    layer = view([1.0] * 12 + [0.0] * 88, [1] * 12 + [0] * 88)
    request = budgets(11)._replace(fractions=[1 / 11])

    drops = mest.num_drop([layer], request)
    left = view([1.0] * 10 + [0.0] * 90, [1] * 10 + [0] * 90)

    assert ints(drops) == [2]
    assert ints(mest.redistribute([left], drops, request)) == [1]


def test_ac_dc_drops_in_sparse_phases_and_restores_everything_in_dense_ones():
    ac_dc = algorithms.ACDC()
    layers = [
        view([0.3, 0.2, -0.1, 0.4], [1, 1, 1, 1]),
        view([3.0, 2.0, 1.0], [1, 1, 1]),
    ]
    left = [
        view([0.0, 0.0, 0.0, 0.4], [0, 0, 0, 1]),
        view([3.0, 2.0, 1.0], [1, 1, 1]),
    ]
    sparse = budgets(2, 2)._replace(fractions=[0.5, 0.5])
    dense = budgets(4, 3)

    request = allocated(ac_dc, layers, sparse)
    drops = ac_dc.num_drop(layers, request)

    assert ints(drops) == [3, 0]
    assert ints(ac_dc.redistribute(left, drops, request)) == [0, 0]

    request = allocated(ac_dc, left, dense)
    drops = ac_dc.num_drop(left, request)

    assert ints(drops) == [0, 0]
    assert ints(ac_dc.redistribute(left, drops, request)) == [3, 0]


def phases(sparsity, updates, num_epochs, steps):
    """The epochs at which an update changes the sparsity, and to what."""
    changes, last = {}, 0.0
    for step in updates.steps(0, num_epochs * steps):
        if float(sparsity(step)) != last:
            last = float(sparsity(step))
            changes[step // steps] = last
    return changes


def test_ac_dc_can_have_the_calendar_of_the_paper_for_cifar():
    """200 epochs: sparse from 10, 50, 90, 130 and 170, dense between."""
    updates = schedules.UpdateSchedule(10 * 391, end_step=200 * 391)
    sparsity = schedules.Alternating(0.9, 20 * 391, 170 * 391)

    assert phases(sparsity, updates, 200, 391) == {
        epoch: 0.9 * (epoch in (10, 50, 90, 130, 170))
        for epoch in range(10, 171, 20)
    }


def test_ac_dc_alternates_at_every_update_and_ends_sparse():
    for end_step, first in ((100, 1), (90, 2)):
        updates = schedules.UpdateSchedule(10, end_step=end_step)
        sparsity = schedules.resolve_steps(
            algorithms.ACDC().sparsity_schedule(0.9), updates
        )
        last = end_step // 10 - 1

        assert phases(sparsity, updates, 12, 10) == {
            i: 0.9 * ((last - i) % 2 == 0) for i in range(first, last + 1)
        }


def drawn(weights, num, rounds=20_000):
    """How often each position is among `num` that are drawn by weight."""
    shape = (rounds, len(weights))
    many = view(np.ones(shape), np.ones(shape))
    draws = scores.weighted_random(many, tf.broadcast_to(weights, shape))
    chosen = np.argsort(-draws.numpy(), axis=1)[:, :num]
    return np.bincount(chosen.ravel(), minlength=len(weights)) / rounds


def test_a_weighted_choice_has_the_probabilities_of_draws_in_turn():
    """Of 1, 2 and 3, the first is drawn with 1/6, 2/6 and 3/6."""
    np.testing.assert_allclose(
        drawn([1.0, 2.0, 3.0], 1), [1 / 6, 2 / 6, 3 / 6], atol=0.02
    )
    # And the second from the two that are left.
    one = 1 / 6 + 2 / 6 * 1 / 4 + 3 / 6 * 1 / 3
    two = 2 / 6 + 1 / 6 * 2 / 5 + 3 / 6 * 2 / 3
    np.testing.assert_allclose(
        drawn([1.0, 2.0, 3.0], 2), [one, two, 2 - one - two], atol=0.02
    )


def test_a_weighted_choice_draws_zeros_last():
    assert list(drawn([0.0, 1e-9, 1e9], 2, rounds=100)) == [0, 1, 1]


@pytest.mark.parametrize(("progress", "power"), [(0.0, 1), (0.5, 2), (1.0, 3)])
def test_chts_keeps_large_weights_and_more_of_them_later(progress, power):
    shape = (20_000, 2)
    layer = dataclasses.replace(
        view(np.broadcast_to([1.0, -2.0], shape), np.ones(shape)),
        progress=tf.constant(progress),
    )

    first, second = np.transpose(algorithms.CHTs().drop(layer))

    # 1 and 2 to this power are the odds.
    assert np.mean(second > first) == pytest.approx(
        2**power / (1 + 2**power), abs=0.02
    )


def test_chts_grows_where_paths_of_length_three_lead():
    mask = [[1, 1, 1, 0], [0, 1, 1, 0], [0, 0, 1, 1]]

    paths = chts.ch2_l3n(tf.constant(mask, tf.float32))

    inactive = np.array(mask) == 0
    assert list(paths.numpy()[inactive]) == [3, 6, 3, 2, 6]


def test_chts_sees_a_kernel_as_a_matrix_from_inputs_to_outputs():
    """A transposed convolution has its outputs before its inputs."""
    layer = keras.layers.Conv2DTranspose(3, 1)
    mask = np.array([[1, 1, 1, 0], [0, 1, 1, 0], [0, 0, 1, 1]], bool)
    layout = kernel_layout.layout_for(layer, (1, 1, 4, 3))
    plain = view(np.zeros((3, 4)), mask)
    turned = dataclasses.replace(
        view(np.zeros((1, 1, 4, 3)), mask.T[None, None]), layout=layout
    )
    grow = algorithms.CHTs().grow

    once = grow(plain) - plain_noise(plain)
    again = grow(turned) - plain_noise(turned)

    np.testing.assert_allclose(again[0, 0], np.transpose(once), atol=1e-4)


def plain_noise(layer):
    return scores.weighted_random(layer, tf.ones(layer.mask.shape), stream=1)


def test_movement_pruning_drops_what_moves_to_zero_fastest():
    movement = algorithms.MovementPruning()
    layer = view(
        [2.0, -1.0, 0.5, 0.0],
        [1, 1, 1, 0],
        gradient=[1.0, -1.0, -1.0, 9.0],
        momentum=[0.0, 0.0, 0.0, 0.0],
    )

    scores_now = movement.track(layer)
    after = mask_after_update(
        movement,
        weight=[2.0, -1.0, 0.5, 0.0],
        mask=[1, 1, 1, 0],
        momentum=scores_now,
        num=0,
        budget=2,
    )

    # Steps along -gradient shrink the first two, and the largest most.
    np.testing.assert_array_equal(scores_now, [-2.0, -1.0, 0.5, 0.0])
    np.testing.assert_array_equal(after, [0, 1, 1, 0])


@in_every_storage
def test_saliency_pruning_drops_what_the_loss_depends_on_least(stored):
    after = mask_after_update(
        algorithms.SaliencyPruning(),
        weight=[2.0, -1.0, 0.5, 0.0],
        mask=[1, 1, 1, 0],
        gradient=[0.1, -0.5, 0.6, 9.0],
        num=0,
        stored=stored,
        budget=2,
    )

    # The scores are 0.2, 0.5 and 0.3.
    np.testing.assert_array_equal(after, [0, 1, 1, 0])


def test_an_unknown_scope_is_refused():
    with pytest.raises(ValueError, match="scope='model'"):
        algorithms.GradualPruning(scope="model")


def test_an_unknown_algorithm_lists_the_known_ones():
    with pytest.raises(ValueError, match="deepr, dsr, ggr, ggr_rigl"):
        algorithms.get("rig1")


def ints(scalars):
    return [int(scalar) for scalar in scalars]


def test_snfs_keeps_a_running_mean_of_the_gradient():
    layer = view([0.0, 0.5], [0, 1], momentum=[1.0, 0.0], gradient=[0.0, 2.0])

    after = algorithms.SNFS(decay=0.75).track(layer)

    np.testing.assert_allclose(after, [0.75, 0.5])


def test_snfs_grows_where_the_running_mean_is_largest():
    after = mask_after_update(
        algorithms.SNFS(),
        weight=[0.9, -0.1, 0.5, 0.0, 0.0],
        mask=[1, 1, 1, 0, 0],
        momentum=[0.0, 0.1, 0.0, -0.3, 0.2],
        num=1,
    )

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

    grown = algorithms.get(name).redistribute(layers, [1, 3], wanted())

    # The means are 2 and 6: a quarter of four, and three quarters.
    assert ints(grown) == [1, 3]


def test_what_a_full_layer_cannot_take_goes_to_the_others():
    layers = [
        view([1.0, 0.0], [1, 0], gradient=[9.0, 0.0]),
        view([1.0, 0, 0, 0], [1, 0, 0, 0], gradient=[1.0, 0, 0, 0]),
    ]

    grown = algorithms.RigLSG().redistribute(layers, [2, 1], wanted())

    assert ints(grown) == [1, 2]


def test_dsr_drops_below_one_threshold_and_grows_where_most_survives():
    dsr = algorithms.DSR(threshold=0.2)
    layers = [
        view([0.3, 0.4, -0.5, 0.1, 0, 0, 0, 0], [1, 1, 1, 1, 0, 0, 0, 0]),
        view([0.1, -0.15, 0.9, 0, 0, 0], [1, 1, 1, 0, 0, 0]),
    ]
    request = wanted(0.3, 2, threshold=0.2)

    drops = dsr.num_drop(layers, request)
    left = [
        view([0.3, 0.4, -0.5, 0.1, 0, 0, 0, 0], [1, 1, 1, 0, 0, 0, 0, 0]),
        view([0.1, -0.15, 0.9, 0, 0, 0], [0, 0, 1, 0, 0, 0]),
    ]
    grown = dsr.redistribute(left, drops, request)

    assert ints(drops) == [1, 2]
    # 3 and 1 survive: of three connections, 2.25 and 0.75.
    assert ints(grown) == [2, 1]


@pytest.mark.parametrize(
    ("num_dropped", "after"),
    [(89, 0.4), (90, 0.2), (110, 0.2), (111, 0.1)],
)
def test_the_threshold_of_dsr_adapts_to_the_number_wanted(num_dropped, after):
    dsr = algorithms.DSR(num_wanted=100)
    state = dsr.next_state(
        [], wanted(threshold=0.2), [tf.constant(num_dropped, tf.int64)]
    )

    assert float(state["threshold"]) == pytest.approx(after)


def test_dsr_wants_the_drop_fraction_of_what_was_active():
    left = [view([1.0] * 6, [1] * 6)]

    state = algorithms.DSR().next_state(
        left, wanted(0.5, threshold=1.0), [tf.constant(2, tf.int64)]
    )

    # 2 of 8 were dropped, and 4 wanted.
    assert float(state["threshold"]) == 2.0


@pytest.mark.parametrize(("first", "after"), [(0.5, 1.0), (0.9, 2.0)])
def test_dsr_adds_up_what_is_wanted_of_each_layer(first, after):
    left = [view([1.0] * 8, [1] * 8), view([1.0] * 10, [1] * 10)]
    request = Request([first, 0.0], None, {"threshold": tf.constant(1.0)})

    state = algorithms.DSR().next_state(
        left, request, [tf.constant(2, tf.int64), tf.constant(3, tf.int64)]
    )

    # 5 were dropped. Half of the first layer's 10 are 5, and 9 are too many.
    assert float(state["threshold"]) == after


def test_deepr_drops_the_weights_that_have_crossed_zero():
    grown = set()
    for seed in range(20):
        after = mask_after_update(
            algorithms.DeepR(),
            weight=[0.3, -0.1, -0.2, 0.0, 0.0],
            mask=[1, 1, 1, 1, 0],
            sign=[1.0, 1.0, -1.0, -1.0, 1.0],
            num=0,
            seed=seed,
        )
        # -0.1 should be positive; 0.0 has not crossed.
        assert all(after[[0, 2, 3]]) and sum(after) == 4
        grown |= set(np.flatnonzero(after)) - {0, 2, 3}

    assert grown == {1, 4}


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

    grown = algorithms.GGR().redistribute(layers, [2, 2], wanted())

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
        layer = view([0.0] * 1000, [0] * 1000, gradient=gradient, seed=seed)
        scores = algorithms.get(name).grow(layer.candidates())
        grown = masks.grow(layer.mask, scores, 3)

        assert np.sum(grown) == 3
        always &= grown.numpy()

    # Those with the largest gradients grow whatever the seed.
    np.testing.assert_array_equal(
        np.flatnonzero(always), np.arange(1000)[1000 - by_gradient :]
    )


@pytest.mark.parametrize("stored", ["dense", "active"])
def test_rewire_drops_and_grows_by_the_scores_that_it_is_told(stored):
    rewire = algorithms.Rewire(drop_by="saliency", grow_by=("gradient",))

    after = mask_after_update(
        rewire,
        weight=[0.9, -0.1, 0.5, 0.0, 0.0, 0.0],
        mask=[1, 1, 1, 0, 0, 0],
        gradient=[0.1, 9.0, 0.1, 0.3, -0.8, 0.2],
        num=1,
        stored=stored,
    )

    # |0.5 x 0.1| is the least; -0.8 the largest inactive gradient.
    np.testing.assert_array_equal(after, [1, 1, 0, 0, 1, 0])


@in_every_storage
def test_of_several_scores_each_grows_an_equal_part(stored):
    after = mask_after_update(
        algorithms.Rewire("magnitude", ("gradient", "magnitude")),
        weight=[0.1, 0.2, 0.3, 0.4, 0.0, 0.0, 0.0],
        mask=[1, 1, 1, 1, 0, 0, 0],
        gradient=[0.0, 0.1, 0.0, 0.0, 0.9, 0.7, 0.8],
        num=3,
        stored=stored,
    )

    # 0.4 stays. The first two go where the gradients are 0.9 and 0.8, and the
    # third by magnitude, where 0.3 was dropped.
    np.testing.assert_array_equal(after, [0, 0, 1, 1, 1, 0, 1])


@in_every_storage
def test_no_part_grows_what_an_earlier_part_has_grown(stored):
    after = mask_after_update(
        algorithms.Rewire("magnitude", ("gradient", "gradient")),
        weight=[0.1, 0.2, 0.3, 0.4, 0.0, 0.0, 0.0],
        mask=[1, 1, 1, 1, 0, 0, 0],
        gradient=[0.0, 0.1, 0.0, 0.0, 0.9, 0.7, 0.8],
        num=3,
        stored=stored,
    )

    # 0.9 and 0.8 first, then 0.7.
    np.testing.assert_array_equal(after, [0, 0, 0, 1, 1, 1, 1])


@pytest.mark.parametrize("name", ["rigl", "rewire"])
def test_an_algorithm_comes_back_from_its_json_configuration(name):
    algorithm = {
        "rigl": algorithms.RigL(),
        "rewire": algorithms.Rewire("random", ("saliency", "momentum")),
    }[name]

    saved = json.dumps(keras.saving.serialize_keras_object(algorithm))

    assert keras.saving.deserialize_keras_object(json.loads(saved)) == algorithm


def test_rewire_knows_what_it_needs():
    at_random = algorithms.Rewire(grow_by=("random",))
    by_both = algorithms.Rewire(grow_by=("gradient", "momentum"))
    by_saliency = algorithms.Rewire("saliency", ("random",))

    assert not at_random.needs_gradient and not at_random.needs_momentum
    assert by_both.needs_gradient and by_both.needs_momentum
    assert by_saliency.needs_gradient and not by_saliency.needs_momentum


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: algorithms.SNFS(decay=1.0), "decay=1.0"),
        (lambda: algorithms.DSR(threshold=0.0), "threshold=0.0"),
        (lambda: algorithms.GraNet(1.0), "initial_sparsity=1.0"),
        (
            lambda: algorithms.GradualPruning(initial_sparsity=-0.1),
            "initial_sparsity=-0.1",
        ),
        (lambda: algorithms.MEST(-1.0), "gradient_weight=-1.0"),
        (lambda: algorithms.CHTs(last_power=-1.0), "last_power=-1.0"),
        (lambda: algorithms.DSR(num_wanted=0), "num_wanted=0"),
        (lambda: algorithms.DeepR(l1=-1.0), "l1=-1.0"),
        (lambda: algorithms.DeepR(temperature=np.nan), "temperature=nan"),
        (lambda: algorithms.Rewire(drop_by="size"), "Received: 'size'"),
        (lambda: algorithms.Rewire(grow_by="random"), "grow_by='random'"),
    ],
)
def test_hyperparameters_out_of_range_are_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()
