"""Tests of records."""

import dataclasses
import json
import math
import pathlib
import shutil
import tarfile

import pytest

from rigl_tf import results
from rigl_tf.results import record_schema
from tests.records import record


def test_an_empty_directory_may_be_claimed(tmp_path):
    assert results.acquire_run_dir(tmp_path, resume=False) is None
    assert (
        results.acquire_run_dir(tmp_path / "deep" / "er", resume=False) is None
    )
    assert (tmp_path / "deep" / "er").is_dir()


def test_a_directory_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")

    for resume in (False, True):
        with pytest.raises(
            FileExistsError, match="such as .*notes.txt, but no run"
        ):
            results.acquire_run_dir(tmp_path, resume)

    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_finished_run_is_refused_or_read(tmp_path):
    results.write(tmp_path, record())

    with pytest.raises(FileExistsError):
        results.acquire_run_dir(tmp_path, resume=False)

    assert results.acquire_run_dir(tmp_path, resume=True) == record()


def test_an_unfinished_run_may_be_resumed(tmp_path):
    results.mark_run_dir(tmp_path)
    (tmp_path / ".partial-1a-model.keras").write_text("killed while writing")

    assert results.acquire_run_dir(tmp_path, resume=True) is None
    assert [path.name for path in tmp_path.iterdir()] == ["config.gin"]


def test_a_run_that_was_killed_at_once_leaves_its_directory_free(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / ".lock").touch()

    assert results.acquire_run_dir(tmp_path, resume=False) is None
    (tmp_path / "checkpoints" / "mine").touch()
    with pytest.raises(FileExistsError, match="such as checkpoints, but no"):
        results.acquire_run_dir(tmp_path, resume=False)


@pytest.mark.parametrize("finished", [False, True])
def test_a_run_of_another_configuration_is_refused(tmp_path, finished):
    results.mark_run_dir(tmp_path, "# Macros:\nEPOCHS = 3\nSEED = 0\n")
    if finished:
        results.write(tmp_path, record())

    with pytest.raises(
        FileExistsError,
        match="configuration: SEED = 0. Received: SEED = 1, X = 2",
    ):
        results.acquire_run_dir(tmp_path, True, "EPOCHS = 3\nSEED = 1\nX = 2\n")


def test_a_run_of_the_same_or_of_no_known_configuration_may_go_on(tmp_path):
    (tmp_path / "config.gin").write_text("")  # by a power cut

    assert results.acquire_run_dir(tmp_path, True, "SEED = 0\n") is None
    results.mark_run_dir(tmp_path, "SEED = 0\n")
    assert results.acquire_run_dir(tmp_path, True, "SEED = 0\n") is None
    assert results.acquire_run_dir(tmp_path, True) is None


def test_a_run_goes_on_after_it_has_moved_with_its_source(tmp_path):
    def config(directory, source="sm/seed=0"):
        # gin breaks long lines.
        return f"SEED = 0\nSOURCE = \\\n    '{directory}/{source}'\n"

    old, new = tmp_path / "old", tmp_path / "new"
    (old / "sm/seed=0").mkdir(parents=True)
    results.acquire_run_dir(old / "reinit/seed=0", False)
    results.mark_run_dir(old / "reinit/seed=0", config(old))
    old.rename(new)
    run = new / "reinit/seed=0"

    assert results.acquire_run_dir(run, True, config(new)) is None

    with pytest.raises(FileExistsError, match="SOURCE = '.*/sm/seed=1'"):
        results.acquire_run_dir(run, True, config(new, "sm/seed=1"))
    (old / "sm/seed=0").mkdir(parents=True)  # another source
    with pytest.raises(FileExistsError, match="SOURCE = "):
        results.acquire_run_dir(run, True, config(new))


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

    message = "a/record.json is not a run's record: .* Remove the file to train"
    with pytest.raises(ValueError, match=message):
        results.read_all(tmp_path)


def test_a_record_of_another_version_is_named(tmp_path):
    values = dataclasses.asdict(record()) | {"schema_version": 99}
    path = tmp_path / "record.json"
    path.write_text(json.dumps(values))

    with pytest.raises(
        ValueError, match="record.json.*schema_version.* Received: 99"
    ):
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


def changed(path, place, value):
    """Writes a record that somebody has changed at one place."""
    values = json.loads(json.dumps(dataclasses.asdict(record(ticket=TICKET))))
    inside = values
    *way, last = place
    for key in way:
        inside = inside[key]
    inside[last] = value
    path.write_text(json.dumps(values))


TICKET = {
    "epochs": 2,
    "density": 0.1,
    "search": {"sparsity": [0.9]},
    "before": {"accuracy": 0.5},
    "checks": {"shuffle": {"accuracy": 0.5}},
}


@pytest.mark.parametrize(
    ("place", "value", "field"),
    [
        (["task"], 1, "`task` must be 1 to 200 characters. Received: 1"),
        (["task"], "", "`task`"),
        (["method"], "x" * 201, "`method`"),
        (["sparsity"], 1.5, "`sparsity` must be a number from 0 to 1"),
        (["sparsity"], float("nan"), "`sparsity`"),
        (["sparsity"], True, "`sparsity`"),
        (["seed"], 0.5, "`seed` must be a whole number"),
        (["steps"], 10**400, "`steps`"),
        (["structure"], None, "`structure` must be a dictionary"),
        (["structure"], {"k": {}}, r"`structure\.k\.active` is missing"),
        (["flops", "training_dense"], 0, r"`flops\.training_dense`"),
        (["flops"], {}, r"`flops\.inference` is missing"),
        (["flops", "search"], float("inf"), r"`flops\.search`"),
        (["settings"], [1], "`settings` must be a dictionary"),
        (["settings", "SOURCE"], 3, r"`settings\.SOURCE`"),
        (["settings", "ALPHA"], [1], r"`settings\.ALPHA`"),
        (["history", "val_accuracy"], [], r"`history\.val_accuracy` must be a"),
        (["history", "val_accuracy"], [None], r"`history\.val_accuracy\[0\]`"),
        (["test", "accuracy"], float("nan"), r"`test\.accuracy`"),
        (["ticket"], None, "`ticket` must be a dictionary"),
        (["ticket", "checks"], {"a": 1}, r"`ticket\.checks\.a` must be"),
        (["densities", "k"], "0.5", r"`densities\.k`"),
        (["versions", "x" * 1001], "1", "a name of at most 1000 characters"),
        (["versions", "x\x1b[2J"], 1, r"`versions\.'x\\x1b\[2J'`"),
        (["schema_version"], None, "`schema_version`"),
        (["more"], 1, "`more` is not a field"),
    ],
)
def test_a_field_that_is_not_what_it_should_be_is_named(
    tmp_path, place, value, field
):
    changed(tmp_path / "record.json", place, value)

    with pytest.raises(ValueError, match=rf"record.json is not .*{field}"):
        results.read_all(tmp_path)


def test_the_schema_knows_every_field_of_a_record(tmp_path):
    values = dataclasses.asdict(record(ticket=TICKET))
    record_schema.check(values)

    for field in dataclasses.fields(results.Record):
        with pytest.raises(ValueError, match=f"`{field.name}`"):
            record_schema.check(values | {field.name: object()})
    with pytest.raises(ValueError, match="`device` is missing"):
        record_schema.check({k: v for k, v in values.items() if k != "device"})


def test_a_network_that_diverged_has_a_record(tmp_path):
    nan = float("nan")
    diverged = record(history={"loss": [nan], "val_accuracy": [0.1]})
    diverged.test["loss"] = float("inf")
    results.write(tmp_path, diverged)

    found = results.read(tmp_path / "record.json")
    assert math.isnan(found.history["loss"][0])
    assert found.test == diverged.test


def test_a_record_nested_too_deeply_is_named(tmp_path):
    (tmp_path / "record.json").write_text("[" * 100_000)

    with pytest.raises(ValueError, match="record.json.*too deeply"):
        results.read_all(tmp_path)


def test_a_record_that_vanishes_while_it_is_read_is_passed_over(
    tmp_path, monkeypatch
):
    for seed in range(3):
        (tmp_path / f"seed={seed}").mkdir()
        results.write(tmp_path / f"seed={seed}", record(seed=seed))
    read = results.read

    def remove_and_read(path):
        if "seed=1" in str(path):
            shutil.rmtree(path.parent)
        return read(path)

    monkeypatch.setattr(results.records, "read", remove_and_read)

    found = results.read_all(tmp_path).values()
    assert [run.seed for run in found] == [0, 2]


def test_a_record_replaces_a_link_and_is_not_written_through_it(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "record.json").symlink_to(tmp_path / "mine.txt")

    results.write(tmp_path / "run", record())

    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert results.find(tmp_path / "run") == record()
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["record.json"]


@pytest.mark.parametrize("name", results.records.FOLDERS)
def test_a_run_does_not_go_on_through_a_link(tmp_path, name):
    mine, run = tmp_path / "mine", tmp_path / "run"
    mine.mkdir()
    results.acquire_run_dir(run, resume=False)
    results.mark_run_dir(run)
    (run / name).symlink_to(mine)

    with pytest.raises(ValueError, match=f"{name} is a link"):
        results.acquire_run_dir(run, resume=True)


ARCHIVES = sorted(pathlib.Path(__file__).parents[2].glob("docs/records/*.xz"))


@pytest.mark.parametrize("path", ARCHIVES, ids=lambda path: path.name)
def test_records_of_the_docs_can_be_read(path):
    with tarfile.open(path) as archive:
        for name in archive.getnames():
            if name.endswith("record.json"):
                record_schema.check(json.load(archive.extractfile(name)))
