"""Tests of tuning. Nothing is trained: a run's accuracy is made up."""

import contextlib
import dataclasses
import os
import sqlite3
import sys

import optuna
import pytest

from rigl_tf.bin import parallel_runs
from rigl_tf.bin import study as program
from rigl_tf.experiments import sweep_grid
from rigl_tf.experiments import tuning
from rigl_tf.utils import file_lock
from tests.records import record

STUDY = tuning.Study(
    task="digits_mlp",
    method="rigl",
    sparsities=(0.9,),
    distributions=("uniform",),
    ranges={"ALPHA": (0.1, 0.6), "INTERVAL": (50, 1000, 50)},
    num_trials=12,
    seeds=(0, 1),
)


@pytest.fixture
def trained(monkeypatch):
    """The runs that were trained; `stop_at` of them are too many."""

    class Trained(list):
        stop_at = 10_000

    done = Trained()

    def train(runs, directory, jobs):
        for run in runs:
            if len(done) == done.stop_at:
                raise KeyboardInterrupt
            done.append(run)
            values = dict(each.split(" = ") for each in run.settings)
            settings = {name: float(value) for name, value in values.items()}
            settings = {"ALPHA": 0.3, "INTERVAL": 100.0} | settings
            yield (
                run,
                record(
                    "rigl",
                    run.sparsity,
                    run.seed,
                    accuracy=1 - abs(settings["ALPHA"] - 0.4) - run.seed / 100,
                    distribution="uniform",
                    settings=settings,
                ),
            )

    monkeypatch.setattr(parallel_runs, "train_all", train)
    return done


def test_the_best_is_that_of_validation_data(trained, tmp_path, capsys):
    program.tune(dataclasses.replace(STUDY, sparsities=(0.9, 0.98)), tmp_path)

    out = capsys.readouterr().out
    assert out.count("[12/12]") == 2
    header, _, *rows = (tmp_path / "study.md").read_text().splitlines()
    assert "best on validation" in header
    # The reference: 1 - 0.1, and a hundredth less for the second seed.
    for row in rows:
        assert "ALPHA 0.3, INTERVAL 100" in row
        assert "89.50 ± 0.71" in row
    assert len(rows) == 2
    assert (tmp_path / "figures" / "trials.png").exists()


def test_a_reference_may_leave_a_setting_to_training(
    trained, tmp_path, monkeypatch
):
    def without_interval(*arguments):
        for run, found in train(*arguments):
            settings = found.settings
            if not run.settings:  # the reference
                settings = {**settings, "INTERVAL": None}
            yield run, dataclasses.replace(found, settings=settings)

    train = parallel_runs.train_all
    monkeypatch.setattr(parallel_runs, "train_all", without_interval)

    program.tune(dataclasses.replace(STUDY, num_trials=2), tmp_path)

    table = (tmp_path / "study.md").read_text()
    assert "ALPHA 0.3, INTERVAL None" in table
    assert (tmp_path / "figures" / "trials.png").exists()


def test_values_are_in_their_ranges_and_differ(trained, tmp_path):
    program.tune(STUDY, tmp_path)

    values = tuning.completed(
        tuning.open_study(STUDY, "uniform", 0.9, tmp_path)
    )
    assert len({each["ALPHA"] for each in values}) == 12
    for each in values:
        assert 0.1 <= each["ALPHA"] <= 0.6
        assert each["INTERVAL"] in range(50, 1001, 50)


@pytest.mark.parametrize("stop_at", [1, 9, 24])  # 24: after random trials
def test_a_study_that_was_stopped_ends_like_one_that_was_not(
    stop_at, trained, tmp_path
):
    program.tune(STUDY, tmp_path / "whole")
    whole = set(trained)
    trained.clear()

    trained.stop_at = stop_at
    with pytest.raises(KeyboardInterrupt):
        program.tune(STUDY, tmp_path / "stopped")
    trained.stop_at = 10_000
    program.tune(STUDY, tmp_path / "stopped")

    assert set(trained) == whole
    one, two = (tmp_path / name / "study.md" for name in ("whole", "stopped"))
    assert one.read_text() == two.read_text()


def test_more_trials_may_be_added_and_other_ranges_not(trained, tmp_path):
    program.tune(STUDY, tmp_path)
    more = dataclasses.replace(STUDY, num_trials=13)
    program.tune(more, tmp_path)
    assert (
        len(tuning.completed(tuning.open_study(more, "uniform", 0.9, tmp_path)))
        == 13
    )

    other = dataclasses.replace(STUDY, ranges={"ALPHA": (0.1, 0.2)})
    with pytest.raises(ValueError, match="other ranges or seeds.*Choose anoth"):
        program.tune(other, tmp_path)


def test_a_second_study_in_a_directory_is_told_who_is_there(trained, tmp_path):
    with file_lock.Lock(tmp_path):
        with pytest.raises(FileExistsError, match=f"process {os.getpid()} on"):
            program.tune(STUDY, tmp_path)

    assert trained == []
    program.tune(STUDY, tmp_path)  # later


def test_data_without_validation_cannot_be_tuned_on():
    with pytest.raises(ValueError, match="needs validation data"):
        tuning.score([record(history={"accuracy": [0.5]})])


def test_ends_that_leave_nothing_are_refused():
    with pytest.raises(ValueError, match="ranges=.*'ALPHA': .0.6, 0.1"):
        dataclasses.replace(STUDY, ranges={"ALPHA": (0.6, 0.1)})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sparsities", ()),
        ("ranges", {}),
        ("distributions", []),
        ("seeds", ()),
        ("num_trials", 0),
    ],
)
def test_a_study_of_nothing_is_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must .*{name}="):
        dataclasses.replace(STUDY, **{name: value})


def test_a_study_without_optuna_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r"pip install 'rigl-tf\[studies\]'"):
        tuning.open_study(STUDY, "uniform", 0.9, tmp_path)


@pytest.mark.parametrize(
    "params",
    [
        {"ALPHA\nimport os": 0.3, "INTERVAL": 50},
        {"ALPHA": 0.3, "SEED": 1},
        {"ALPHA": 0.7, "INTERVAL": 50},
        {"ALPHA": "@os.system()", "INTERVAL": 50},
        {"ALPHA": 0.3},
    ],
)
@pytest.mark.parametrize("planned", [False, True])
def test_what_others_have_tried_must_be_in_the_ranges(
    params, planned, trained, tmp_path
):
    trials = tuning.open_study(STUDY, "uniform", 0.9, tmp_path)
    if planned and len(params) == 2:
        trials.enqueue_trial(params)
    else:
        choices = optuna.distributions.CategoricalDistribution
        trials.add_trial(
            optuna.trial.create_trial(
                params=params,
                distributions={n: choices([v]) for n, v in params.items()},
                value=1.0,
            )
        )

    with pytest.raises(ValueError, match="studies.db contains a trial with"):
        program.tune(STUDY, tmp_path)

    assert not any(run.settings for run in trained)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE trials SET number = number + 1",
        "DELETE FROM study_directions",
        "UPDATE trial_params SET distribution_json = replace("
        "distribution_json, '0.6', '0.9')",
    ],
)
def test_a_database_that_optuna_would_not_write_is_named(
    statement, trained, tmp_path
):
    trials = tuning.open_study(STUDY, "uniform", 0.9, tmp_path)
    trial, _ = tuning.ask(STUDY, trials)
    trials.tell(trial, 0.5)
    with contextlib.closing(
        sqlite3.connect(tmp_path / tuning.DATABASE)
    ) as database:
        assert database.execute(statement).rowcount
        database.commit()

    problem = "studies.db (cannot be|contains a trial)"
    with pytest.raises(ValueError, match=problem):
        program.tune(STUDY, tmp_path)


def test_nothing_is_trained_without_validation_data(
    trained, tmp_path, monkeypatch
):
    task = tmp_path / "mine.gin"
    task.write_text("include 'tasks/fashion_mlp.gin'\nVALIDATION = 0\n")
    study = dataclasses.replace(STUDY, task=str(task))
    with pytest.raises(ValueError, match="the task fashion_mlp without valid"):
        program.tune(study, tmp_path / "runs")

    monkeypatch.undo()
    ((trial,),) = sweep_grid.make_trials(str(task), "rigl", [[]], 0.9, [0])
    with pytest.raises(ValueError, match="the task fashion_mlp without valid"):
        next(parallel_runs.train_all([trial], tmp_path))

    assert not trained and not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", ["a?b", "a%41b", "a#b&mode=ro", "a b\n"])
def test_a_directory_may_have_any_name(name, tmp_path):
    directory = tmp_path / name
    directory.mkdir()
    tuning.open_study(STUDY, "uniform", 0.9, directory)
    assert (directory / tuning.DATABASE).is_file()
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_database_that_is_damaged_is_named(share, trained, tmp_path):
    tuning.open_study(STUDY, "uniform", 0.9, tmp_path)
    path = tmp_path / tuning.DATABASE
    data = path.read_bytes()
    kept = int(share * len(data))
    path.write_bytes(data[:kept] + b"\xff" * (len(data) - kept))

    with pytest.raises(ValueError, match="studies.db cannot be read"):
        program.tune(STUDY, tmp_path)
