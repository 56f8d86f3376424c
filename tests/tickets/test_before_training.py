"""A ticket computes what the search has computed in the end."""

import dataclasses

import numpy as np
import pytest

from rigl_tf import experiments
from rigl_tf import tickets
from tests.faults import child
from tests.tickets import small

MODEL, DATA = small.network(), small.dataset()
SEARCHES = {
    "gem_miner": tickets.GemMiner(period=1),
    "gem_miner without freezing": tickets.GemMiner(period=None),
    "edge_popup": tickets.EdgePopup(),
    "edge_popup global": tickets.EdgePopup(scope="global"),
    "edge_popup gradual": tickets.EdgePopup(scope="global", period=1),
}


def found(finder, density=0.25, **kwargs):
    trainer = small.make_trainer(MODEL, DATA, **kwargs)
    return finder.find(MODEL, DATA, density, trainer=trainer)


@pytest.mark.few(1)
@pytest.mark.filterwarnings("ignore:.*does not control the density")
@pytest.mark.parametrize("name", SEARCHES)
def test_the_ticket_has_the_loss_that_the_search_ended_with(name):
    ticket = found(SEARCHES[name])
    network = small.network()
    sparse = small.make_trainer(network, DATA).compile(ticket.sparsify(network))
    got = sparse.evaluate(DATA.validation, verbose=0, return_dict=True)
    for metric, value in got.items():
        assert value == ticket.history[f"val_{metric}"][-1], metric


def test_a_run_records_the_accuracy_of_the_search_before_training(tmp_path):
    task = child.task()
    data = dataclasses.replace(task.dataset, validation=task.dataset.test)
    method = experiments.TicketMethod(
        "gem_miner", tickets.GemMiner(1e-3, period=1), sparsity=0.5
    )
    record = experiments.train(
        tmp_path / "run", dataclasses.replace(task, dataset=data), method
    )
    searched = record.ticket["search"]
    assert record.ticket["before"]["accuracy"] == searched["val_accuracy"][-1]
    # What the search ended with may be sparser than what was asked for.
    assert 1 - record.ticket["density"] == pytest.approx(
        searched["sparsity"][-1]
    )
    kept = 128 * record.densities["dense1"] + 32 * record.densities["out"]
    assert kept / 160 == pytest.approx(record.ticket["density"])


@pytest.mark.few(1)
@pytest.mark.parametrize("inverted", [False, True])
def test_statistics_are_gathered_for_connections_that_were_not_searched(
    inverted,
):
    finder = tickets.GemMiner(0.05, period=1, drop_low=False, inverted=inverted)
    ticket = found(finder, 0.5)
    assert ticket.density == 0.5
    assert ticket.history["sparsity"][-1] > 0.5, "Another network than that."
    kernel, bias = ticket.weights[:2]
    kernel = kernel * ticket.masks["first"]
    batches = [
        np.maximum(x @ kernel + bias, 0)
        for x, _ in DATA.train(0).take(DATA.steps_per_epoch)
    ]
    mean, variance = (
        np.mean([f(y, axis=0) for y in batches], axis=0)
        for f in (np.mean, np.var)
    )
    np.testing.assert_allclose(ticket.weights[4], mean, atol=1e-5)
    np.testing.assert_allclose(ticket.weights[5], variance, atol=1e-5)


def test_gem_miner_without_freezing_says_that_the_density_is_not_kept():
    with pytest.warns(UserWarning, match="density=0.25 is ignored"):
        free = found(SEARCHES["gem_miner without freezing"], 0.25)
    # Initial scores are uniform in [0, 1]; they hardly move unregularized.
    assert free.density == pytest.approx(0.5, abs=0.15)
    assert free.history["bound"] == [0.0] * 4
    with pytest.warns(UserWarning, match="is ignored"):
        strong = found(tickets.GemMiner(0.05, period=None), 0.25)
    assert strong.density < 0.5 * free.density
    assert strong.density == pytest.approx(
        1 - strong.history["sparsity"][-1], abs=0.01
    )
    assert all(np.isfinite(score).all() for score in free.scores.values())


@pytest.mark.parametrize("more", [{"drop_low": False}, {"inverted": True}])
def test_without_freezing_there_is_nothing_to_keep_or_to_invert(more):
    with pytest.raises(ValueError, match="need a `period`.*period=None"):
        tickets.GemMiner(period=None, **more)
