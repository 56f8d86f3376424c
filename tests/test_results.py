"""Tests of records."""

import dataclasses
import json

import pytest

from rigl_tf import results
from tests.records import record


def test_an_empty_directory_may_be_claimed(tmp_path):
    assert results.claim(tmp_path, resume=False) is None
    assert results.claim(tmp_path / "deep" / "er", resume=False) is None
    assert (tmp_path / "deep" / "er").is_dir()


def test_a_directory_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")

    for resume in (False, True):
        with pytest.raises(FileExistsError, match="notes.txt .* no run"):
            results.claim(tmp_path, resume)

    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_finished_run_is_refused_or_read(tmp_path):
    results.write(tmp_path, record())

    with pytest.raises(FileExistsError):
        results.claim(tmp_path, resume=False)

    assert results.claim(tmp_path, resume=True) == record()


def test_an_unfinished_run_may_be_resumed(tmp_path):
    results.begin(tmp_path)

    assert results.claim(tmp_path, resume=True) is None


@pytest.mark.parametrize("finished", [False, True])
def test_a_run_of_another_configuration_is_refused(tmp_path, finished):
    results.begin(tmp_path, "# Macros:\nEPOCHS = 3\nSEED = 0\n")
    if finished:
        results.write(tmp_path, record())

    with pytest.raises(
        FileExistsError,
        match="another configuration: SEED = 0 there, SEED = 1, X = 2 here",
    ):
        results.claim(tmp_path, True, "EPOCHS = 3\nSEED = 1\nX = 2\n")


def test_a_run_of_the_same_or_of_no_known_configuration_may_go_on(tmp_path):
    (tmp_path / "config.gin").write_text("")  # by a power cut

    assert results.claim(tmp_path, True, "SEED = 0\n") is None
    results.begin(tmp_path, "SEED = 0\n")
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
