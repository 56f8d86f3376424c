"""Tests of records and tables."""

import dataclasses
import json

import pytest

from rigl_tf import results


def record(
    method="rigl",
    sparsity=0.9,
    seed=0,
    accuracy=0.9,
    task="digits",
    distribution="erdos_renyi_kernel",
    extension=1,
):
    return results.Record(
        task=task,
        method=method,
        distribution="" if method == "dense" else distribution,
        sparsity=sparsity,
        extension=extension,
        seed=seed,
        test={"accuracy": accuracy, "loss": float("inf")},
        history={"val_accuracy": [0.5, accuracy]},
        densities={"dense1": 0.125},
        structure={},
        parameters={"active": 1100, "dense": 10_000},
        flops={
            "inference": 200,
            "inference_dense": 1000,
            "training": 700,
            "training_dense": 3000,
            "convention": "macs2",
        },
        steps=80,
        seconds=1.5,
        versions={"keras": "3"},
        device="abacus",
    )


def test_an_empty_directory_may_be_claimed(tmp_path):
    assert results.claim(tmp_path, resume=False) is None
    assert results.claim(tmp_path / "deep" / "er", resume=False) is None
    assert (tmp_path / "deep" / "er").is_dir()


def test_a_directory_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")

    with pytest.raises(FileExistsError, match="holds a run.*--resume"):
        results.claim(tmp_path, resume=False)

    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_finished_run_is_refused_or_read(tmp_path):
    results.write(tmp_path, record())

    with pytest.raises(FileExistsError):
        results.claim(tmp_path, resume=False)

    assert results.claim(tmp_path, resume=True) == record()


def test_an_unfinished_run_may_be_resumed(tmp_path):
    (tmp_path / "logs").mkdir()

    assert results.claim(tmp_path, resume=True) is None


@pytest.mark.parametrize("finished", [False, True])
def test_a_run_of_another_configuration_is_refused(tmp_path, finished):
    results.write_config(tmp_path, "# Macros:\nEPOCHS = 3\nSEED = 0\n")
    if finished:
        results.write(tmp_path, record())

    with pytest.raises(
        FileExistsError,
        match="another configuration: SEED = 0 there, SEED = 1, X = 2 here",
    ):
        results.claim(tmp_path, True, "EPOCHS = 3\nSEED = 1\nX = 2\n")


def test_a_run_of_the_same_or_of_no_known_configuration_may_go_on(tmp_path):
    (tmp_path / "logs").mkdir()

    assert results.claim(tmp_path, True, "SEED = 0\n") is None
    results.write_config(tmp_path, "SEED = 0\n")
    assert results.claim(tmp_path, True, "SEED = 0\n") is None
    assert results.claim(tmp_path, True) is None


def test_a_record_comes_back_as_it_was_written(tmp_path):
    results.write(tmp_path, record())

    assert results.read(tmp_path / "record.json") == record()
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1]", b"3", b'{"task": "digits"}', b"\xff\xfe"],
    ids=["empty", "cut off", "list", "number", "incomplete", "binary"],
)
def test_a_file_that_is_no_record_is_named(tmp_path, content):
    path = tmp_path / "a" / "record.json"
    path.parent.mkdir()
    path.write_bytes(content)

    with pytest.raises(ValueError, match="a/record.json is not a run's record"):
        results.read_all(tmp_path)


def test_a_record_of_another_version_is_named(tmp_path):
    values = dataclasses.asdict(record()) | {"schema_version": 99}
    path = tmp_path / "record.json"
    path.write_text(json.dumps(values))

    with pytest.raises(ValueError, match="record.json has schema version 99"):
        results.read(path)


def test_records_are_read_in_the_order_of_their_paths(tmp_path):
    for seed in (2, 0, 1):
        directory = tmp_path / f"seed={seed}"
        directory.mkdir()
        results.write(directory, record(seed=seed))

    found = results.read_all(tmp_path)
    assert [run.seed for run in found.values()] == [0, 1, 2]
    assert [results.read(path / "record.json") for path in found] == list(
        found.values()
    )
    assert results.read_all(tmp_path / "nowhere") == {}


def test_a_kind_says_all_that_a_seed_does_not():
    assert str(record("rigl", 0.9).kind) == "rigl 0.9 ERK"
    assert str(record("dense", 0.0).kind) == "dense"
    assert (
        str(record("rigl", 0.95, distribution="uniform", extension=2).kind)
        == "rigl_2x 0.95 uniform"
    )


def test_groups_go_by_task_then_sparsity_then_method():
    runs = [
        record("set", 0.98),
        record("rigl", 0.98),
        record("set", 0.9),
        record("dense", 0.0, task="mnist"),
        record("dense", 0.0),
        record("set", 0.98, seed=1),
    ]

    groups = results.group(runs)

    assert [f"{kind.task} {kind}" for kind in groups] == [
        "digits dense",
        "digits set 0.9 ERK",
        "digits rigl 0.98 ERK",
        "digits set 0.98 ERK",
        "mnist dense",
    ]
    assert [run.seed for run in groups[runs[0].kind]] == [0, 1]


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_table_has_the_rows_worked_out_by_hand():
    runs = [
        record(seed=0, accuracy=0.90),
        record(seed=1, accuracy=0.92),
        record(seed=2, accuracy=0.97),
        record("dense", 0.0, accuracy=0.95),
    ]

    header, rule, *rows = results.table(runs).splitlines()

    assert cells(header)[:5] == [
        "task",
        "method",
        "distribution",
        "sparsity",
        "test accuracy, %",
    ]
    assert set(rule) == {"|", "-"}
    # 200 / 1000 and 700 / 3000; one seed has no deviation.
    costs = ["1,100", "0.2000x", "0.2333x"]
    assert cells(rows[0]) == ["digits", "dense", "", "0", "95.00", "1", *costs]
    # Mean 93; sqrt((9 + 1 + 16) / 2) = 3.61 over n - 1.
    assert cells(rows[1]) == [
        "digits",
        "rigl",
        "ERK",
        "0.9",
        "93.00 ± 3.61",
        "3",
        *costs,
    ]


def test_the_table_is_aligned():
    lines = results.table([record(), record("dense", 0.0)]).splitlines()

    assert len({len(line) for line in lines}) == 1


def test_a_comparison_has_methods_down_and_settings_across():
    runs = [
        record("dense", 0.0, distribution="", accuracy=0.95),
        record("small_dense", 0.9, distribution="", accuracy=0.8),
        record("rigl", 0.9, accuracy=0.90),
        record("rigl", 0.9, seed=1, accuracy=0.92),
        record("rigl", 0.98, accuracy=0.7),
        record("set", 0.98, distribution="uniform", accuracy=0.6),
    ]

    header, _, *rows = results.comparison(runs).splitlines()

    assert cells(header)[1:] == [
        "0.9 ERK",
        "0.98 ERK",
        "0.9 uniform",
        "0.98 uniform",
    ]
    assert [cells(row) for row in rows] == [
        ["dense", "95.00", "95.00", "95.00", "95.00"],
        ["rigl", "91.00 ± 1.41", "70.00", "", ""],
        ["small_dense", "80.00", "", "80.00", ""],
        ["set", "", "", "", "60.00"],
    ]
