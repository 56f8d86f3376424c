"""Tests of reports."""

import dataclasses
import itertools
import shutil
import sys

import pytest

from rigl_tf import results
from rigl_tf.bin import report
from rigl_tf.bin import train
from rigl_tf.gin_tools import config_files
from rigl_tf.results import reports
from rigl_tf.utils import files
from tests.records import record


@pytest.mark.slow
def test_a_report_draws_the_masks_of_a_kernel(tmp_path, capsys):
    files = [
        config_files.find("tasks", "digits_mlp"),
        config_files.find("methods", "static"),
    ]
    for seed in (0, 1):
        bindings = ["EPOCHS = 1", "SPARSITY = 0.9", f"SEED = {seed}"]
        train.run_one(files, bindings, tmp_path / str(seed), verbose=0)

    report.show(tmp_path, "dense1")

    assert "| 2 " in capsys.readouterr().out
    drawn = {p.name for p in (tmp_path / "figures" / "digits_mlp").iterdir()}
    assert drawn == {
        "accuracy_by_method.png",
        "accuracy.png",
        "densities.png",
        "masks.png",
    }
    assert (tmp_path / "table.md").read_text().count("\n") == 3
    assert not (tmp_path / "tickets.md").exists()
    report.show(tmp_path, form="csv")
    (head, row) = (tmp_path / "table.csv").read_text().splitlines()
    assert head.startswith("task,method,") and row.startswith("digits_mlp,")
    with pytest.raises(ValueError, match="a kernel 'nope'. Kernels: dense1"):
        report.show(tmp_path, "nope")


def test_a_report_of_nothing_says_so(tmp_path):
    with pytest.raises(ValueError, match="no finished run below"):
        report.show(tmp_path)


def leave(directory, **values):
    directory.mkdir(parents=True)
    results.write(directory, record(**values))


def everything(directory):
    return {
        path: path.read_bytes() if path.is_file() else None
        for path in directory.rglob("*")
    }


@pytest.mark.few(1)
@pytest.mark.parametrize("task", ["../mine", "/{}/x", "..", ".", "a/../../b"])
def test_a_task_whose_name_is_a_path_stays_in_the_directory(task, tmp_path):
    mine, runs = tmp_path / "mine", tmp_path / "runs"
    mine.mkdir()
    for sparsity in (0.8, 0.9):
        leave(runs / str(sparsity), task=task.format(mine), sparsity=sparsity)
    before = everything(tmp_path)

    report.show(runs)

    made = everything(tmp_path).keys() - before.keys()
    assert len(made) > 5
    assert all(path.is_relative_to(runs) for path in made)
    assert {path.parent for path in made if path.suffix == ".png"} == {
        runs / "figures" / files.name(task.format(mine))
    }


def test_no_task_has_the_name_of_a_table(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    tasks = ("table", "tickets", "x", "x_learning_rates")
    for task in tasks:
        for sparsity, rate in itertools.product((0.8, 0.9), (0.1, 0.2)):
            leave(
                tmp_path / task / f"{sparsity} {rate}",
                task=task,
                sparsity=sparsity,
                settings={"LEARNING_RATE": rate},
            )

    report.show(tmp_path)

    printed = capsys.readouterr().out
    paths = ("Table: ", "Figure: ")  # which may be of any length
    lines = [x for x in printed.splitlines() if not x.startswith(paths)]
    assert max(map(len, lines)) <= 100
    written = {path.stem: path.read_text() for path in tmp_path.glob("*.md")}
    assert all(f"{name}:\n\n" in printed for name in written)
    assert all(f"| {task} " in written["table"] for task in tasks)
    assert len(written) == 1 + 2 * len(tasks)


def test_a_figure_that_cannot_be_drawn_is_named(tmp_path, monkeypatch):
    def broken(records, path):
        raise KeyError("loss")

    leave(tmp_path / "one")
    monkeypatch.setattr(report.plots, "accuracy", broken)

    with pytest.raises(ValueError, match="broken.png cannot be drawn.*'loss'"):
        report.show(tmp_path)


def test_where_nothing_can_be_written_all_is_printed(
    tmp_path, monkeypatch, capsys
):
    def refuse(path, text):
        raise OSError(f"Read-only file system: {path}")

    leave(tmp_path / "one", sparsity=0.8)
    leave(tmp_path / "two", sparsity=0.9)
    monkeypatch.setattr(files, "write", refuse)

    with pytest.raises(OSError, match="table.md"):
        report.show(tmp_path)

    printed = capsys.readouterr().out
    assert "table:\n" in printed and "digits:\n" in printed


def test_a_report_is_not_written_through_links(tmp_path):
    mine, runs = tmp_path / "mine", tmp_path / "runs"
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")
    leave(runs / "one")
    (runs / "table.md").symlink_to(mine / "notes.txt")
    report.show(runs)
    assert not (runs / "table.md").is_symlink()

    for links in ("figures", "figures/digits"):
        shutil.rmtree(runs / "figures", ignore_errors=True)
        (runs / links).parent.mkdir(exist_ok=True)
        (runs / links).symlink_to(mine)
        with pytest.raises(ValueError, match=f"{links} is a link.*Remove it"):
            report.show(runs)
        (runs / links).unlink()

    assert everything(mine) == {mine / "notes.txt": b"mine"}


def test_learning_rates_that_cannot_be_compared_are_named(tmp_path, capsys):
    for number, (rate, alpha) in enumerate(itertools.product((1, 2), (3, 4))):
        leave(
            tmp_path / str(number),
            history={"loss": [1.0]},
            settings={"LEARNING_RATE": rate, "ALPHA": alpha},
        )

    report.show(tmp_path)

    printed = capsys.readouterr().out
    assert "The learning rates of digits are not compared: The cho" in printed
    assert "ALPHA=4 LEARNING_RATE=2" in (tmp_path / "table.md").read_text()


def test_runs_of_a_seed_with_different_results_are_named(tmp_path, capsys):
    leave(tmp_path / "one")
    leave(tmp_path / "copy")
    report.show(tmp_path)
    assert "Warning" not in capsys.readouterr().out
    assert "| 1 " in (tmp_path / "table.md").read_text()

    leave(tmp_path / "two", accuracy=0.8)
    report.show(tmp_path)

    printed = capsys.readouterr().out
    assert "Warning: 2 runs of seed 0 " in printed
    assert f"results: {tmp_path}/copy, {tmp_path}/two. " in printed
    assert printed.count("Warning") == 1


def test_runs_without_an_accuracy_are_reported(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    leave(tmp_path / "one", history={"loss": [1.0]})
    one = results.read(tmp_path / "one" / "record.json")
    results.write(
        tmp_path / "one", dataclasses.replace(one, test={"loss": 1.0})
    )

    report.show(tmp_path)

    assert "task: digits\nmethod: rigl\n" in capsys.readouterr().out
    one = results.read(tmp_path / "one" / "record.json")
    assert reports.test_result(one) == "test loss 1"
