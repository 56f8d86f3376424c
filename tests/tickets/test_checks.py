"""Tests of sanity checks: what they keep, and when they say no."""

import dataclasses

import keras
import numpy as np
import pytest

from rigl_tf import experiments
from rigl_tf import tickets
from tests.tickets import small
from tests.tickets.test_every_finder import DATA
from tests.tickets.test_every_finder import FINDERS
from tests.tickets.test_every_finder import MODEL
from tests.tickets.test_every_finder import found

# Those that have scores of all connections in the end.
SCORED = ("magnitude", "snip", "grasp", "prospr", "edge_popup")
SCORED += ("wanda", "after_training")


@pytest.fixture(autouse=True)
def the_network_stays():
    """Sparse models share its weights, and other tests find tickets in it."""
    weights = MODEL.get_weights()
    yield
    MODEL.set_weights(weights)


def kernels(ticket, network):
    """Dictionary from kernel to its weights in a ticket, masked ones too."""
    return {
        kernel.name: np.array(kernel.variable)
        for kernel in dataclasses.replace(
            ticket,
            masks={n: np.ones_like(m) for n, m in ticket.masks.items()},
        )
        .sparsify(network)
        .kernels
    }


def test_shuffling_keeps_counts_and_little_else():
    ticket = found("magnitude")
    changed = tickets.sanity.shuffle(ticket, seed=1)
    for name, mask in ticket.masks.items():
        assert changed.masks[name].sum() == mask.sum()
    mask = np.zeros((200, 100), bool)
    mask[:20] = True  # density 0.1
    both = tickets.Ticket({"w": mask})
    shuffled = tickets.sanity.shuffle(both).masks["w"]
    assert shuffled[mask].mean() == pytest.approx(0.1, abs=0.03)


def test_weights_under_a_mask_stay_for_other_masks():
    ticket = found("imp warm")
    changed = tickets.sanity.shuffle(ticket, seed=1).sparsify(MODEL)
    for kernel in changed.kernels:
        assert np.array(kernel.variable)[np.array(kernel.mask)].all()


@pytest.mark.few(1)
@pytest.mark.parametrize("name", ["magnitude", "gem_miner"])
def test_reinitializing_keeps_masks_and_the_distribution(name):
    ticket = found(name)
    changed, again, other = (
        tickets.sanity.reinitialize(ticket, small.network(), seed)
        for seed in (3, 3, 2)  # 3 is the seed of the network
    )
    assert changed.masks is ticket.masks
    for one, two in zip(changed.weights, again.weights, strict=True):
        np.testing.assert_array_equal(one, two)
    for index in (0, 6, 8):
        weight = changed.weights[index]
        assert (weight != other.weights[index]).any()
        assert (weight != MODEL.get_weights()[index]).mean() > 0.2
        if name == "gem_miner":
            expected = (2 / weight.shape[0]) ** 0.5
            np.testing.assert_allclose(np.abs(weight), expected, rtol=1e-6)
        else:  # Glorot's
            assert np.abs(weight).max() <= (6 / sum(weight.shape)) ** 0.5


@pytest.mark.few(1)
@pytest.mark.parametrize("check", ["reinitialize", "kaiming"])
@pytest.mark.parametrize("weights", ["own", "signed_constant"])
def test_pretrained_weights_are_drawn_again(weights, check):
    def pretrained():
        model = small.network()
        model.set_weights(MODEL.get_weights())
        return model

    finder = tickets.GemMiner(period=1, weights=weights)
    ticket = finder.find(
        pretrained(), DATA, 0.3, trainer=small.make_trainer(MODEL, DATA)
    )
    network = pretrained()
    changed = tickets.CHECKS[check](ticket, network, 3)
    before, after = (kernels(t, network) for t in (ticket, changed))
    for name, kernel in before.items():
        assert (kernel != after[name]).mean() > 0.2, name


def test_weights_that_a_seed_fixes_cannot_be_drawn_again():
    fixed = keras.initializers.HeNormal(seed=1)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(3, name="fixed", kernel_initializer=fixed),
        ]
    )
    ticket = tickets.Magnitude().find(model, DATA, 0.5)
    with pytest.raises(
        ValueError, match="initializer of fixed .*Remove the seed"
    ):
        tickets.sanity.reinitialize(ticket, model)


def test_kaiming_weights_are_normal():
    model = keras.Sequential(
        [keras.Input((50,)), keras.layers.Dense(400, name="wide")]
    )
    ticket = tickets.Ticket({"wide": np.ones((50, 400), bool)})
    weight = tickets.sanity.kaiming(ticket, model, seed=3).weights[0]
    assert weight.std() == pytest.approx((2 / 50) ** 0.5, rel=0.02)
    assert weight.mean() == pytest.approx(0, abs=0.01)


def test_inverting_takes_the_lowest_scores_of_each_layer():
    scores = {"w": np.array([0.1, 0.4, 0.2, 0.8])}
    mask = np.array([False, True, False, True])
    changed = tickets.sanity.invert(tickets.Ticket({"w": mask}, scores=scores))
    assert changed.masks["w"].tolist() == [True, False, True, False]


@pytest.mark.few(1)
@pytest.mark.parametrize("name", SCORED)
def test_what_is_inverted_is_no_draw(name):
    ticket = found(name)
    one, two = (
        FINDERS[name].apply_check("invert", ticket, MODEL, seed, None)
        for seed in (1, 2)
    )
    for kernel, mask in one.masks.items():
        score = ticket.scores[kernel]
        assert mask.sum() == ticket.masks[kernel].sum()
        assert score[mask].max() <= score[~mask].min()
        # Connections of dead neurons all have the score 0.
        told = score != score[mask].max()
        np.testing.assert_array_equal(mask[told], two.masks[kernel][told])


@pytest.mark.few(1)
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("wrap", [lambda f: f, tickets.AfterTraining])
def test_gem_miner_inverts_its_search(wrap, seed):
    ticket = found("gem_miner", 0.5, seed)
    trainer = small.make_trainer(MODEL, DATA)
    network = small.network()
    finder = wrap(FINDERS["gem_miner"])
    changed = finder.apply_check("invert", ticket, network, seed, trainer)
    assert changed.density == ticket.density
    before, after = (kernels(t, network) for t in (ticket, changed))
    for name, mask in changed.masks.items():
        np.testing.assert_array_equal(before[name], after[name])
        kept = changed.scores[name][mask]
        assert np.isfinite(kept).all() and kept.mean() < 0.5
    best = ticket.scores["first"] > 0.9
    assert best.any() and not changed.masks["first"][best].all()


def test_a_search_with_inverted_scores_needs_a_trainer():
    with pytest.raises(ValueError, match="searches again and needs `trainer`"):
        tickets.GemMiner(period=1).apply_check(
            "invert", tickets.Ticket({}), MODEL, 0, None
        )


@pytest.mark.few(1)
@pytest.mark.parametrize("name", FINDERS)
def test_scores_that_are_not_there_are_not_inverted(name):
    """A method refuses exactly the checks that would fail."""
    finder, ticket = FINDERS[name], found(name)
    if name.startswith((*SCORED, "gem_miner")) and name != "gem_miner inverted":
        assert "invert" not in finder.unsupported_checks
        return
    if name != "sparse_gpt":  # it has no weights for the lowest scores
        with pytest.raises(
            ValueError, match="'invert' needs .*eave out this check"
        ):
            tickets.sanity.invert(ticket)
    with pytest.raises(
        ValueError,
        match=rf"'invert' .* {type(finder).__name__}: .* Leave 'invert'",
    ):
        experiments.TicketMethod(
            name, finder, sparsity=0.5, checks=("kaiming", "invert")
        )


def test_one_iteration_of_synflow_scores_all():
    assert tickets.SynFlow(num_iterations=1).unsupported_checks == {}


@pytest.mark.parametrize("name", ["lr_rewinding", "sparse_gpt"])
def test_weights_without_the_pruned_ones_are_not_shuffled(name):
    ticket = found(name)
    pruned = ~ticket.masks["first"]
    assert (ticket.weights[0][pruned] == 0).mean() > 0.5
    with pytest.raises(
        ValueError, match="'shuffle' does not apply.*would select zeros"
    ):
        FINDERS[name].apply_check("shuffle", ticket, MODEL, 0, None)


@pytest.mark.parametrize("check", ["shuffle", "invert"])
def test_checks_after_training_begin_with_the_trained_weights(check):
    name = "after_training by wanda"
    changed = FINDERS[name].apply_check(check, found(name), MODEL, 1, None)
    for kernel in changed.sparsify(MODEL).kernels:
        assert np.array(kernel.variable)[np.array(kernel.mask)].all()


def test_checks_begin_with_the_weights_that_were_scored():
    first, second = (keras.models.clone_model(MODEL) for _ in range(2))
    for network in (first, second):
        network.compile(loss=MODEL.loss, optimizer="sgd")
    trainer = small.make_trainer(first, DATA)
    method = experiments.TicketMethod(
        "magnitude", FINDERS["magnitude"], sparsity=0.75, checks=("invert",)
    )
    before = first.get_weights()
    ticket = method.find(first, 0, trainer)
    changed = method.finder.apply_check("invert", ticket, second, 0, trainer)
    after = kernels(changed, second)
    np.testing.assert_array_equal(after["first"], before[0])
    assert (second.get_weights()[0] == before[0]).all()
