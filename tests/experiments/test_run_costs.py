"""FLOPs of runs, computed by hand."""

import types

import pytest

from rigl_tf import algorithms
from rigl_tf import tickets
from rigl_tf.analysis import flops
from rigl_tf.analysis import flops_estimates
from rigl_tf.experiments import run_costs
from rigl_tf.experiments.methods import Method
from rigl_tf.experiments.methods import TicketMethod
from rigl_tf.sparsity.schedules import PolynomialSparsity
from rigl_tf.sparsity.schedules import UpdateSchedule

# 50 weights, each used once: a forward pass takes 100 FLOPs.
COST = flops.ModelCost(
    (flops.KernelCost("logits", (5, 10), 50, 1, 1, 10, True),), 0, 10
)
EXAMPLES, EPOCHS, BATCH = 90, 8, 20
TASK = types.SimpleNamespace(
    total_epochs=EPOCHS, dataset=types.SimpleNamespace(batch_size=BATCH)
)
DENSE = 3 * 100  # FLOPs of training on one example
LAYERS = {"a": 0.5, "b": 0.5}
TILTS = (((0, 1), 0.1, (-1, 0, 1)), ((0, 1), 0.2, (-1, 0, 1)))


def ticket(finder, sparsity=0.75):
    return TicketMethod("ticket", finder, sparsity)


def run_cost(method, **measured):
    return run_costs.run_cost(COST, TASK, method, EXAMPLES, **measured)


@pytest.mark.parametrize(
    ("finder", "examples"),
    [  # dense examples that cost as much
        (tickets.Random(), 0),
        (tickets.SmartRatio(last=0.25), 0),
        (tickets.Magnitude(), 0),
        (tickets.SNIP(num_batches=2), 2 * 20),
        (tickets.GraSP(num_batches=2), (1 + 3) * 2 * 20),
        (tickets.ProsPr(num_steps=0), 20),
        (tickets.ProsPr(num_steps=3), (3 * 3 + 1) * 20),
        (tickets.ProsPr(num_steps=3, order="first"), (3 + 1) * 20),
        # Densities 1 and 1/2, of one example each.
        (tickets.SynFlow(num_iterations=2), 1 + 0.5),
        (tickets.EdgePopup(), 8 * 90),
        (tickets.EdgePopup(epochs=3), 3 * 90),
        # Frozen after two epochs of five and after four: 1, 1/2, 1/4.
        (tickets.GemMiner(epochs=5, period=2), (2 + 2 / 2 + 1 / 4) * 90),
        # Two rounds, at 1 and 1/2.
        (tickets.IMP(rate=0.5), 8 * (1 + 0.5) * 90),
        (tickets.IMP(rate=0.5, epochs=2), 2 * (1 + 0.5) * 90),
        (tickets.LearningRateRewinding(rate=0.5), 8 * (1 + 0.5) * 90),
        (tickets.IMP(rate=0.5, rewind_step=3), 3 * 20 + 8 * 1.5 * 90),
        # The centre alone, and four trials out of nine.
        (tickets.SmartRatioSearch(LAYERS), 8 * 90 / 4),
        (tickets.SmartRatioSearch(LAYERS, TILTS, 4), 4 * 8 * 90 / 4),
        # The centre and two tilts.
        (
            tickets.SmartRatioSearch(LAYERS, (((0, 1), 0.1, (-1, 1)),)),
            3 * 8 * 90 / 4,
        ),
        (tickets.SmartRatioTuned(epochs=2), 2 * 90),
        # The dense training, and two forward passes of a third of three.
        (tickets.AfterTraining(epochs=2), 2 * 90),
        (tickets.AfterTraining(tickets.Wanda(num_samples=6)), 8 * 90 + 2),
        (
            tickets.SmartRatioTuned(
                tickets.SmartRatioSearch(LAYERS, TILTS, 4, epochs=3)
            ),
            4 * 3 * 90 / 4 + 8 * 90,
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_search_costs_what_it_computes(finder, examples):
    cost = run_cost(ticket(finder))

    assert cost.search == pytest.approx(DENSE * examples)
    # The ticket is a static network with a quarter of the connections.
    assert cost.training == pytest.approx(DENSE * 0.25 * EXAMPLES * EPOCHS)
    assert cost.total == cost.search + cost.training


def test_every_finder_has_a_search_to_count():
    for name, finder in tickets.TICKETS.items():
        arguments = ({},) if name == "smart_ratio_search" else ()
        phases = finder(*arguments).phases(0.1, 12, EXAMPLES, BATCH)
        assert all(0 < density <= 1 for _, density in phases)


@pytest.mark.parametrize(
    ("pruning", "trained", "printed"), [(0.32, 0.13, 0.45), (0.41, 0.27, 0.68)]
)
def test_a_lottery_ticket_costs_its_pruning_and_its_training(
    pruning, trained, printed
):
    """Table 2 of Sundar & Dwaraknath: the rows "Pruning" and "Lottery"."""
    epochs = [1.0, 2 * pruning - 1.0] * (EPOCHS // 2)  # on average, `pruning`
    cost = run_cost(
        ticket(tickets.OneShotLottery()),
        training=[trained] * EPOCHS,
        search=epochs,
    )

    dense = run_cost(None).total
    assert cost.search / dense == pytest.approx(pruning)
    assert cost.training / dense == pytest.approx(trained)
    assert cost.total / dense == pytest.approx(printed)


def test_rounds_cost_what_they_measure_and_rewinding_is_dense():
    imp = ticket(tickets.IMP(rate=0.5, rewind_step=3))

    cost = run_cost(imp, search=[1.0, 0.625])

    assert cost.search == pytest.approx(
        DENSE * (3 * 20 + EPOCHS * EXAMPLES * (1.0 + 0.625))
    )


@pytest.mark.parametrize(
    ("density", "expected"), [(0.1, 0.27413), (0.2, 0.35478), (0.5, 0.59674)]
)
def test_pruning_keeps_the_mean_density_of_the_reproduction(density, expected):
    """Integrated over 88,000 steps, 352 in each of 250 epochs."""
    schedule = UpdateSchedule(100, 700, 65_918)

    densities = flops_estimates.scheduled_densities(
        PolynomialSparsity(1 - density), schedule, 250, 352
    )

    # Half the fall from 1 makes up for a look at the end of each epoch.
    mean = (sum(densities) + (1 - density) / 2) / 250
    assert mean == pytest.approx(expected, abs=5e-4)
    assert densities[0] == 1.0
    assert densities[-1] == pytest.approx(density)


def test_what_is_pruned_costs_its_mean_density():
    # Pruned at the end of epochs 1 to 6: the cubic rule from step 0 to 30.
    method = Method(
        "pruning",
        algorithms.GradualPruning(scope="global"),
        0.75,
        schedule=UpdateSchedule(None),
    )
    zeros = [0.75 * (1 - (1 - epoch / 5) ** 3) for epoch in range(1, 6)]
    mean = 1 - (sum(zeros) + 3 * 0.75) / EPOCHS

    cost = run_cost(method)

    assert cost.search == 0
    assert cost.total == pytest.approx(DENSE * mean * EXAMPLES * EPOCHS)


def test_rigl_pays_for_a_dense_gradient_at_every_update():
    method = Method(
        "rigl", algorithms.RigL(), 0.5, schedule=UpdateSchedule(interval=4)
    )

    cost = run_cost(method)

    # In five steps: four of 3 x 50, one of 2 x 50 + 100.
    once = (4 * 150 + 200) / 5
    assert cost.training == pytest.approx(once * EXAMPLES * EPOCHS)
