"""Tests of whole runs that find a ticket and train it."""

import dataclasses

import keras
import numpy as np
import pytest

import rigl_tf
from rigl_tf import experiments
from rigl_tf import tickets
from rigl_tf.results import reports
from rigl_tf.training import trainer
from tests.faults import child

EPOCHS = 4
TASK = child.task(EPOCHS)


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("finder", "epochs", "check"),
    [
        (tickets.SNIP(), 1, "invert"),
        (tickets.GemMiner(1e-4, period=1), EPOCHS, "invert"),
        (tickets.IMP(rate=0.5, epochs=1), 2, "kaiming"),
    ],
)
def test_a_ticket_is_found_trained_and_checked(finder, epochs, check, tmp_path):
    searched = experiments.TicketMethod(
        "found", finder, sparsity=0.8, checks=("shuffle", check)
    )
    record = experiments.train(tmp_path / "run", TASK, searched, verbose=0)

    assert (record.method, record.sparsity) == ("found", 0.8)
    kept = record.parameters["active"] - 18 - 32
    assert kept == round(160 * record.ticket["density"]) <= 32
    assert kept == 32 or isinstance(finder, tickets.GemMiner)
    assert record.ticket["epochs"] == epochs
    assert set(record.ticket["before"]) == set(record.test)
    assert list(record.ticket["checks"]) == ["shuffle", check]
    model = keras.saving.load_model(tmp_path / "run" / "model.keras")
    for kernel in model.kernels:
        inactive = ~np.array(kernel.mask)
        assert not np.array(kernel.variable)[inactive].any()
    assert not {"search", "checkpoints", "checks"} & {
        path.name for path in (tmp_path / "run").iterdir()
    }
    header, _, row = reports.tickets([record]).splitlines()
    assert "before training, %" in header and "shuffle" in header
    assert f"{100 * record.ticket['checks'][check]['accuracy']:.2f}" in row


class Stop(Exception):
    pass


IMP = experiments.TicketMethod(
    "imp",
    tickets.IMP(rate=0.5, epochs=1),
    sparsity=0.8,
    checks=("shuffle", "kaiming"),
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Directory and record of a search that was not stopped."""
    place = tmp_path_factory.mktemp("whole")
    return place, experiments.train(place, TASK, IMP, verbose=0)


@pytest.mark.few(1)
@pytest.mark.parametrize("done", [1, 2, 3, 4, 5])
def test_a_search_that_is_stopped_goes_on(done, whole, tmp_path, monkeypatch):
    """After each of two rounds, of training, and of two checks."""
    directory, expected = whole
    ended = 0
    call, train = trainer.Trainer.__call__, rigl_tf.SparseModel.fit

    def stopping(self, *args, **kwargs):
        nonlocal ended
        checkpoint = call(self, *args, **kwargs)
        ended += 1
        if ended == done:
            raise Stop
        return checkpoint

    with monkeypatch.context() as patched:
        patched.setattr(trainer.Trainer, "__call__", stopping)
        with pytest.raises(Stop):
            experiments.train(tmp_path / "run", TASK, IMP, verbose=0)
    trained = []
    monkeypatch.setattr(
        rigl_tf.SparseModel,
        "fit",
        lambda self, *a, **k: trained.append(self) or train(self, *a, **k),
    )
    record = experiments.train(
        tmp_path / "run", TASK, IMP, verbose=0, resume=True
    )
    assert len(trained) == 5 - done, "What was done is not done again."
    assert dataclasses.replace(record, seconds=expected.seconds) == expected
    one, two = (
        keras.saving.load_model(place / "model.keras")
        for place in (tmp_path / "run", directory)
    )
    for a, b in zip(one.weights, two.weights, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("arguments", "error", "problem"),
    [
        ({"finder": "snip"}, TypeError, r"`finder` must be .*`SNIP\(\)`"),
        ({"checks": ("bogus",)}, ValueError, "one of 'shuffle', .*'bogus'"),
        ({"checks": "shuffle"}, TypeError, "`checks` must be a list"),
        ({"sparsity": 1.0}, ValueError, r"`sparsity` .* in \(0, 1\)"),
        ({"sparsity": "0.9"}, ValueError, r"`sparsity` .*sparsity='0.9'"),
        ({"optimizer": "adam"}, TypeError, "function of the number of steps"),
    ],
)
def test_bad_arguments_of_ticket_methods(arguments, error, problem):
    good = {"name": "a", "finder": tickets.SNIP(), "sparsity": 0.5}
    with pytest.raises(error, match=problem):
        experiments.TicketMethod(**{**good, **arguments})


def test_random_tickets_cannot_be_inverted():
    with pytest.raises(
        ValueError, match="'invert' does not apply to Random.*without scores"
    ):
        experiments.TicketMethod(
            "random", tickets.Random(), sparsity=0.5, checks=("invert",)
        )


def test_a_ticket_can_be_trained_by_another_optimizer(tmp_path):
    searched = experiments.TicketMethod(
        "snip",
        tickets.SNIP(),
        sparsity=0.5,
        optimizer=tickets.optimizers.multi_step,
    )
    experiments.train(tmp_path / "run", TASK, searched, verbose=0)
    model = keras.saving.load_model(tmp_path / "run" / "model.keras")
    assert type(model.optimizer) is keras.optimizers.SGD
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-4)
