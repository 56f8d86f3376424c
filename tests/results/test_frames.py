"""Records as a data frame."""

import pandas as pd
import pytest

from rigl_tf import results
from tests.records import record


def write(directory, run):
    directory.mkdir(parents=True)
    results.write(directory, run)


@pytest.fixture
def frame(tmp_path):
    for seed, accuracy in enumerate([0.5, 0.7]):
        run = record(seed=seed, accuracy=accuracy, settings={"ALPHA": 0.4})
        write(tmp_path / f"rigl/seed={seed}", run)
    ticket = {
        "epochs": 3,
        "density": 0.1,
        "search": {},
        "before": {"accuracy": 0.1},
        "checks": {"shuffle": {"accuracy": 0.6}},
    }
    chosen = {"DISTRIBUTION": "uniform"}
    snip = record(
        "snip", distribution="", ticket=ticket, history={}, settings=chosen
    )
    write(tmp_path / "snip", snip)
    write(tmp_path / "trials" / "x", record())
    return results.load(tmp_path)


def test_every_run_is_a_row_but_trials(frame):
    assert list(frame.index) == ["rigl/seed=0", "rigl/seed=1", "snip"]
    assert frame.index.name == "run"


def test_groups_have_means(frame):
    means = frame.groupby("method")["test_accuracy"].mean()

    assert means["rigl"] == pytest.approx(0.6)
    assert means["snip"] == pytest.approx(0.9)


def test_costs_are_relative_to_the_dense_network(frame):
    costs = frame[["flops_inference", "flops_training", "flops_total"]]

    assert costs.loc["snip"].tolist() == [0.2, 700 / 3000, 700 / 3000]
    assert frame.loc["snip", "parameters"] == 1100


def test_what_a_run_lacks_is_missing(frame):
    assert frame["ALPHA"].tolist()[:2] == [0.4, 0.4]
    assert pd.isna(frame.loc["snip", ["ALPHA", "val_accuracy"]]).all()
    assert frame.loc["snip", "before_accuracy"] == 0.1
    assert frame.loc["snip", "distribution"] == "uniform"
    assert frame.loc["snip", "shuffle_accuracy"] == 0.6
    assert pd.isna(frame.loc["rigl/seed=0", "shuffle_accuracy"])


def test_a_directory_without_runs_is_an_empty_frame(tmp_path):
    assert results.load(tmp_path).empty


def test_a_record_that_is_none_is_named(tmp_path):
    (tmp_path / results.RECORD).write_text("{}")

    with pytest.raises(ValueError, match="record.json is not a run's record"):
        results.load(tmp_path)


def test_a_directory_that_is_not_there_is_no_empty_frame(tmp_path):
    with pytest.raises(FileNotFoundError, match="no directory .*rusn. Pass"):
        results.load(tmp_path / "rusn")
