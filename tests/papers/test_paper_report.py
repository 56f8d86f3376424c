"""Tests of a paper's tables from our records."""

import collections
import dataclasses
import os

import gin
import pytest

from rigl_tf import papers
from rigl_tf import results
from rigl_tf.gin_tools import config_files
from rigl_tf.papers import paper_report
from rigl_tf.papers import table_runs
from rigl_tf.results import plots
from tests.records import record

NAME = "rigl_reproduction"
PAPER = papers.read(table_runs.table_files()[NAME])


def row_of(item, name):
    return next(row for row in item.rows if row.name == name)


def leave(directory, item, name, task=None, number=0, seed=0, **values):
    """Leaves the record that a run of a row would."""
    run = table_runs.make_run(row_of(item, name), number, seed, task, item.rows)
    trained, method, settings = table_runs.describe(run)
    settings |= {"SEED": seed}
    if run.source is not None:
        settings["SOURCE"] = f"/elsewhere/{run.source.path}"
    place = directory / run.path
    place.mkdir(parents=True)
    made = record(
        method, run.sparsity, seed, task=trained, settings=settings, **values
    )
    results.write(place, made)


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_table_has_our_numbers_and_says_what_was_not_run(tmp_path, capsys):
    item = PAPER.items["Table 2"]
    leave(tmp_path, item, "RigL (ERK)", seed=0, accuracy=0.91)
    leave(tmp_path, item, "RigL (ERK)", seed=2, accuracy=0.93)

    paper_report.show(NAME, item, tmp_path)

    shown = [cells(line) for line in capsys.readouterr().out.splitlines()]
    found = {row[0]: row[1:6] for row in shown if row[1:2] == ["0.9"]}
    assert len(found) == 15
    assert found.pop("RigL (ERK)") == [
        "0.9",
        "2",
        "92.00 ± 1.41",
        "92.4 ± 0.06",
        "-0.40",
    ]
    assert {row[2] for row in found.values()} == {"not run"}
    written = (tmp_path / "rigl_reproduction_table_2.md").read_text()
    assert "92.00 ± 1.41" in written


def test_a_report_without_on_names_the_task_of_the_runs(tmp_path, capsys):
    item = PAPER.items["Table 2"]
    leave(tmp_path, item, "RigL (ERK)", task="digits_mlp")
    paper_report.show(NAME, item, tmp_path, task="digits_mlp")
    table = tmp_path / "rigl_reproduction_table_2_digits_mlp.md"
    before = table.read_text()
    assert "see --on" not in capsys.readouterr().out

    paper_report.show(NAME, item, tmp_path)

    assert "Its runs train digits_mlp: see --on." in capsys.readouterr().out
    assert table.read_text() == before


def test_runs_of_other_settings_are_other_runs(tmp_path, capsys):
    item = PAPER.items["Table 7"]
    leave(tmp_path, item, "RigL (ERK)", accuracy=0.95)

    paper_report.show(NAME, item, tmp_path, table_format="csv")

    lines = capsys.readouterr().out.splitlines()
    (found,) = [line for line in lines if "cifar10,RigL (ERK),0.9," in line]
    assert ",1,95.00,92.4 ± 0.06,+2.60" in found
    (other,) = [line for line in lines if "cifar10,RigL,0.9," in line]
    assert ",0,not run," in other


def test_of_the_trials_of_a_study_the_best_on_validation_data_counts(
    tmp_path, capsys
):
    item = PAPER.items["Table 4"]
    tuned = row_of(item, "ERK, best")
    for alpha, validated, accuracy in ((0.1, 0.8, 0.91), (0.2, 0.7, 0.95)):
        trial = dataclasses.replace(
            tuned, set={"ALPHA": str(alpha), "INTERVAL": "60"}
        )
        leave(
            tmp_path,
            dataclasses.replace(item, rows=(trial,)),
            "ERK, best",
            accuracy=accuracy,
            history={"val_accuracy": [validated]},
        )
    leave(tmp_path, item, "ERK, reference", accuracy=0.97)

    paper_report.show(NAME, item, tmp_path, table_format="csv")

    lines = capsys.readouterr().out.splitlines()
    assert sum("not run" in line for line in lines) == 12 - 2
    assert any('"ERK, best: 0.1, 60",0.9,1,91.00,' in line for line in lines)
    assert any('"ERK, reference",0.9,1,97.00,' in line for line in lines)


def test_a_run_that_is_there_twice_counts_once(tmp_path, capsys):
    item = PAPER.items["Table 2"]
    for place in ("one", "two"):
        leave(tmp_path / place, item, "SET (ERK)", accuracy=0.9)

    paper_report.show(NAME, item, tmp_path, table_format="csv")

    assert "SET (ERK),0.9,1,90.00," in capsys.readouterr().out


def test_a_directory_that_is_not_there_is_no_directory_of_runs(tmp_path):
    with pytest.raises(ValueError, match="must be a directory.*nowhere"):
        paper_report.show(NAME, PAPER.items["Table 2"], tmp_path / "nowhere")


def test_nothing_is_drawn_of_nothing(tmp_path, capsys):
    paper_report.show(NAME, PAPER.items["Figure 1"], tmp_path)

    assert "No finished run" in capsys.readouterr().out
    assert not (tmp_path / "figures").exists()


def test_a_task_that_stands_for_all_is_named_once(tmp_path, capsys):
    item = PAPER.items["Table 5"]
    leave(tmp_path, item, "RigL (ERK)", task="digits_mlp", accuracy=0.9)

    paper_report.show(
        NAME, item, tmp_path, task="digits_mlp", table_format="csv"
    )

    out = capsys.readouterr().out
    assert "cifar" not in out
    assert len([line for line in out.splitlines() if "90.00" in line]) == 1


@pytest.mark.parametrize("moved", [False, True])
def test_a_run_is_told_by_the_run_that_it_started_from(tmp_path, moved, capsys):
    item = PAPER.items["Table 5"]
    for name, accuracy in (
        ("RigL-SM", 0.5),
        ("RigL-SM (ERK)", 0.6),
        ("RigL re-initialised", 0.7),
        ("RigL re-initialised (ERK)", 0.8),
    ):
        leave(tmp_path / "runs", item, name, accuracy=accuracy)
    if moved:
        (tmp_path / "runs").rename(tmp_path / "moved")

    paper_report.show(NAME, item, tmp_path / ("moved" if moved else "runs"))

    out = capsys.readouterr().out.splitlines()
    rows = [cells(line) for line in out if line.startswith("| rigl_repro")]
    ours = {
        row[1]: row[4] for row in rows if row[0].endswith("10") and row[3] > "0"
    }
    assert ours == {
        "RigL-SM": "50.00",
        "RigL-SM (ERK)": "60.00",
        "RigL re-initialised": "70.00",
        "RigL re-initialised (ERK)": "80.00",
    }


@pytest.mark.few(1)
@pytest.mark.parametrize("name", table_runs.table_files())
def test_a_record_tells_the_runs_of_a_paper_apart(name, tmp_path, monkeypatch):
    parsed = []
    settings = config_files.settings
    monkeypatch.setattr(
        config_files,
        "settings",
        lambda given: parsed.append(gin.config_str()) or settings(given),
    )
    same_key, seen = collections.defaultdict(set), set()
    for item in papers.read(table_runs.table_files()[name]).items.values():
        runs = [
            (row, table_runs.make_run(row, number, 0, rows=item.rows))
            for row in item.rows
            for number in range(len(row.settings))
        ]
        assert len({run.path for _, run in runs}) == len(runs), item.name
        for row, run in runs:
            # Of sparsities, one is enough: settings hold them.
            if (row.task, row.method, run.variant, row.tuned) not in seen:
                seen.add((row.task, row.method, run.variant, row.tuned))
                key = paper_report._key(
                    *table_runs.describe(run), tmp_path, row.tuned
                )
                same_key[key].add(parsed[-1])
    for key, texts in same_key.items():
        assert len(texts) == 1, key


def test_another_task_may_stand_in_with_the_library_s_own_intervals(
    tmp_path, capsys
):
    item = PAPER.items["Table 2"]
    leave(tmp_path, item, "Lottery", task="digits_mlp", accuracy=0.9)

    paper_report.show(
        NAME, item, tmp_path, task="digits_mlp", table_format="latex"
    )

    out = capsys.readouterr().out
    assert r"Lottery & 0.9 & 1 & 90.00 & 90.4 $\pm$ 0.09" in out
    assert "difference" not in out
    (path,) = tmp_path.rglob(results.RECORD)
    assert "digits_mlp/one_shot_lottery/" in str(path)


def test_a_schedule_in_epochs_is_kept_on_another_task():
    item = papers.read(table_runs.table_files()["ggr"]).items["Table 1"]
    item = table_runs.for_task(item, "digits_mlp")
    runs = {
        row.name: table_runs.make_run(row, 0, 0, "digits_mlp")
        for row in item.rows
        if row.method != "dense"
    }

    assert {run.method for run in runs.values()} == {
        "ggr/set",
        "ggr/rigl",
        "ggr/dsr",
        "ggr/ggr",
    }
    _, _, settings = table_runs.describe(runs["SET, ERK"])
    assert settings["INTERVAL"] is None and settings["ALPHA"] == 0.1


@pytest.mark.few(1)
@pytest.mark.parametrize("name", table_runs.table_files())
def test_every_row_has_a_method_on_another_task(name):
    methods = {
        row.method: table_runs.make_run(row, 0, 0, "digits_wrn", item.rows)
        for item in papers.read(table_runs.table_files()[name]).items.values()
        for row in item.rows
    }

    for method, run in methods.items():
        config_files.find("methods", run.method)
        if method.endswith("small_dense"):
            _, _, settings = table_runs.describe(run)
            assert settings["ROUNDING"] == "floor"


def test_a_figure_is_drawn_of_what_was_run(tmp_path, capsys):
    item = PAPER.items["Figure 1"]
    for number in range(4):
        leave(tmp_path, item, "RigL (ERK)", number=number)
        leave(tmp_path, item, "SET", number=number)

    paper_report.show(NAME, item, tmp_path)

    (drawn,) = (tmp_path / "figures").iterdir()
    assert drawn.name.startswith("rigl_reproduction_figure_1_accuracy_by_")
    assert drawn.name in capsys.readouterr().out


def test_a_search_without_validation_data_is_drawn(tmp_path, capsys):
    item = papers.read(table_runs.table_files()["rare_gems"]).items["Figure 5"]
    search = {"sparsity": [0.5, 0.9], "bound": [0, 0.8], "accuracy": [0.2, 0.4]}
    leave(
        tmp_path,
        item,
        "lambda 1.5e-5",
        history={"accuracy": [0.5, 0.8]},
        ticket={
            "epochs": 2,
            "density": 0.1,
            "search": search,
            "before": {"accuracy": 0.4},
            "checks": {},
        },
    )

    paper_report.show("rare_gems", item, tmp_path)

    (drawn,) = (tmp_path / "figures").iterdir()
    assert drawn.name == "rare_gems_figure_5_search_mobilenet_v2.png"
    assert "not run" in capsys.readouterr().out


def test_what_takes_no_training_says_where_its_numbers_are(tmp_path):
    with pytest.raises(ValueError, match="needs no training: tests/models"):
        paper_report.show(NAME, PAPER.items["Table 6"], tmp_path)


def test_every_figure_of_a_paper_can_be_drawn():
    for path in table_runs.table_files().values():
        for item in papers.read(path).items.values():
            for figure in item.figures:
                assert callable(getattr(plots, figure))
            if item.name.startswith("Figure") and item.rows:
                assert item.figures


def test_runs_that_rows_share_are_trained_once():
    item = PAPER.items["Table 5"]
    shared = table_runs.runs(item, "digits_mlp")
    assert len(shared) == len(table_runs.runs(item)) // 2
    assert len({run.path for run in shared}) == len(shared)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is not a paper: KeyError"),
        ("item = 3", "is not a paper: TypeError"),
        ("item = [3]", "is not a paper: "),
        ("title = 'a'\nitem = []", "is not a paper: TypeError.*url"),
        ("a = [" + "[" * 10_000, "is not a paper: RecursionError"),
        ("a =", "is not TOML: Invalid value"),
        (b"\xff", "is not TOML: 'utf-8'"),
    ],
)
def test_a_file_that_is_no_paper_is_named(tmp_path, text, problem):
    path = tmp_path / "tables.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())

    with pytest.raises(ValueError, match=f"tables.toml {problem}"):
        papers.read(path)


def test_a_pipe_is_no_paper(tmp_path):
    os.mkfifo(tmp_path / "tables.toml")

    with pytest.raises(ValueError, match="tables.toml is not an ordinary"):
        papers.read(tmp_path / "tables.toml")
