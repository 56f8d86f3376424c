"""Tests of checkpoints as files: whole, or not used."""

import errno
import json
import math
import os
import random
import shutil

import ml_dtypes
import numpy as np
import pytest

from rigl_tf.callbacks import checkpoint_files
from rigl_tf.callbacks.checkpoint_files import Spec

ARRAYS = {
    "weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "half": np.array([1.5, -0.0], ml_dtypes.bfloat16),
    "mask": np.array([[True, False], [False, True]]),
    "step": np.array(2**40, np.int64),
}
SPECS = [Spec(name, a.dtype.name, a.shape) for name, a in ARRAYS.items()]
FACTS = {"epoch": 3, "history": {"loss": [0.5, 0.25, 0.125]}}
FILES = ("arrays.bin", "facts.json", "manifest.json")


def write(path, arrays=None, keep=2):
    arrays = ARRAYS if arrays is None else arrays
    checkpoint_files.write(path, SPECS, arrays.values(), FACTS, keep)
    return path


def read(path, specs=None):
    facts = checkpoint_files.read_facts(path)
    return facts, checkpoint_files.read_arrays(path, facts, specs or SPECS)


@pytest.fixture
def saved(tmp_path):
    return write(tmp_path / "epoch-1")


def test_what_was_written_is_read(saved):
    facts, arrays = read(saved)

    assert facts["epoch"] == 3
    assert facts["history"] == FACTS["history"]
    for array, (name, written) in zip(arrays, ARRAYS.items(), strict=True):
        assert array.dtype == written.dtype, name
        assert array.tobytes() == written.tobytes(), name


def test_the_last_ones_are_kept(tmp_path):
    (tmp_path / ".partial-epoch-0").mkdir()  # of a process that was killed
    for number in range(5):
        write(tmp_path / f"epoch-{number}", keep=2)

    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["epoch-3", "epoch-4"]


def test_those_written_last_are_kept_whatever_they_are_called(tmp_path):
    for name in ("epoch-999999", "epoch-1000000", "epoch-2", "epoch-10"):
        write(tmp_path / name, keep=3)

    names = [path.name for path in checkpoint_files.paths(tmp_path)]
    assert names == ["epoch-1000000", "epoch-2", "epoch-10"]


def test_what_somebody_else_put_there_is_neither_counted_nor_removed(saved):
    directory = saved.parent
    shutil.copytree(saved, directory / "epoch-best")
    (directory / "epoch-notes").write_text("mine")
    (directory / "partial-results").mkdir()
    (directory / "partial-results" / "notes").write_text("mine")
    for number in (2, 3):
        write(directory / f"epoch-{number}", keep=1)

    (path,) = checkpoint_files.paths(directory)
    assert path.name == "epoch-3"
    checkpoint_files.remove_all(directory)
    left = {path.name for path in directory.iterdir()}
    assert left == {"epoch-best", "epoch-notes", "partial-results"}


def test_a_damaged_checkpoint_does_not_count_among_those_kept(tmp_path):
    for number in (1, 2):
        write(tmp_path / f"epoch-{number}", keep=2)
    (tmp_path / "epoch-2" / "arrays.bin").write_bytes(b"")

    write(tmp_path / "epoch-3", keep=2)

    read(tmp_path / "epoch-1")
    assert [p.name for p in checkpoint_files.paths(tmp_path)] == [
        "epoch-1",
        "epoch-2",
        "epoch-3",
    ]


def test_of_one_that_is_being_removed_nothing_stays(tmp_path, monkeypatch):
    def killed(path, **kwargs):
        (path / "facts.json").unlink()
        raise KeyboardInterrupt

    write(tmp_path / "epoch-1", keep=1)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_files.shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path / "epoch-2", keep=1)

    assert [p.name for p in checkpoint_files.paths(tmp_path)] == ["epoch-2"]
    write(tmp_path / "epoch-3", keep=1)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-3"]


@pytest.mark.parametrize("file", ["arrays.bin", "facts.json"])
def test_with_one_to_keep_the_newest_whole_one_stays(tmp_path, file):
    for number in (1, 2):
        write(tmp_path / f"epoch-{number}", keep=2)
    (tmp_path / "epoch-2" / file).write_bytes(b"")

    for number in (3, 1):  # once under a name from before
        write(tmp_path / f"epoch-{number}", keep=1)

    (kept,) = {p.name for p in checkpoint_files.paths(tmp_path)} - {"epoch-2"}
    read(tmp_path / kept)
    assert kept == "epoch-1"  # the last that was written


def test_one_that_could_not_be_read_for_a_while_is_older(saved, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_files, "_number", lambda path: math.inf)
        last = write(saved.parent / "epoch-0", keep=1)

    assert checkpoint_files.paths(saved.parent) == [saved, last]


def test_a_name_that_is_taken_is_left_alone(saved):
    before = (saved / "manifest.json").read_bytes()

    write(saved, keep=2)

    assert (saved / "manifest.json").read_bytes() == before
    assert [p.name for p in checkpoint_files.paths(saved.parent)] == [
        "epoch-1",
        "epoch-1-2",
    ]


def test_all_are_removed_with_their_directories(saved, tmp_path):
    write(tmp_path / "search" / "round 1" / "epoch-1")

    checkpoint_files.remove_all(tmp_path / "search")

    assert [path.name for path in tmp_path.iterdir()] == ["epoch-1"]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.5, 0.99])
def test_a_truncated_file_is_seen(saved, file, share):
    path = saved / file
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])

    with pytest.raises(ValueError, match=file):
        read(saved)


@pytest.mark.parametrize("file", FILES)
def test_a_flipped_bit_is_seen(saved, file):
    path = saved / file
    data = path.read_bytes()
    for place in random.Random(0).sample(range(8 * len(data)), 50):
        wrong = bytearray(data)
        wrong[place // 8] ^= 1 << place % 8
        path.write_bytes(wrong)
        with pytest.raises(ValueError):
            read(saved)


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file_is_named(saved, file):
    (saved / file).unlink()

    with pytest.raises(ValueError, match=f"{file} is missing"):
        read(saved)


@pytest.mark.parametrize("file", FILES[:2])
def test_a_file_of_another_checkpoint_is_seen(saved, tmp_path, file):
    other = {**ARRAYS, "step": np.array(7, np.int64)}
    facts = {**FACTS, "epoch": 4}
    path = tmp_path / "epoch-2"
    checkpoint_files.write(path, SPECS, other.values(), facts, 2)
    shutil.copy(path / file, saved / file)

    with pytest.raises(
        ValueError, match=f"{file} was changed after it was written"
    ):
        read(saved)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            Spec("weight", "float32", (3, 2)),
            r"weight \(float32 of shape \(2, 3\)\) instead of "
            r"weight \(float32 of shape \(3, 2\)\)",
        ),
        (Spec("bias", "float32", (2, 3)), "weight.* instead of .*bias"),
        (
            Spec("weight", "float16", (2, 3)),
            r"float32 .* instead of .*\(float16",
        ),
    ],
)
def test_another_model_is_named(saved, spec, message):
    with pytest.raises(ValueError, match=message):
        read(saved, [spec, *SPECS[1:]])


def test_a_model_with_more_or_less_in_it_is_another(saved):
    for specs in (SPECS[:-1], [*SPECS, Spec("more", "bool", ())]):
        with pytest.raises(ValueError, match=f"4 arrays .* of {len(specs)}"):
            read(saved, specs)


def rewritten(saved, file, values):
    """Replaces JSON as somebody would who knows of the manifest."""
    (saved / file).write_text(json.dumps(values))
    manifest = json.loads((saved / "manifest.json").read_text())
    manifest["sha256"][file] = checkpoint_files._digest(saved / file)
    (saved / "manifest.json").write_text(json.dumps(manifest))


def test_a_declared_size_is_never_believed(saved):
    facts = checkpoint_files.read_facts(saved)
    facts["arrays"][0][0][2] = [2**40, 2**20]
    rewritten(saved, "facts.json", facts)

    with pytest.raises(ValueError, match="arrays.bin was changed"):
        read(saved)


def test_arrays_that_go_on_for_longer_are_seen(saved):
    facts = checkpoint_files.read_facts(saved)
    with (saved / "arrays.bin").open("ab") as file:
        file.write(b"more")

    with pytest.raises(ValueError, match="arrays.bin does not have the size"):
        checkpoint_files.read_arrays(saved, facts, SPECS)


@pytest.mark.parametrize("arrays", [None, 3, ["weight"], [[1, 2, 3]], "ab"])
def test_facts_without_a_list_of_arrays_are_seen(saved, arrays):
    rewritten(saved, "facts.json", {**FACTS, "arrays": arrays})

    with pytest.raises(ValueError, match="list of its arrays|another model"):
        read(saved)


def test_json_that_never_ends_is_seen(saved):
    (saved / "manifest.json").write_text("[" * 10**6)

    with pytest.raises(ValueError, match="manifest.json was changed"):
        read(saved)


@pytest.mark.parametrize("file", FILES)
def test_files_that_never_end_are_not_read(saved, file):
    os.truncate(saved / file, 2**42)  # of holes
    with pytest.raises(ValueError, match=f"{file} (is too large|was changed)"):
        read(saved)


def test_another_schema_is_named(saved):
    manifest = json.loads((saved / "manifest.json").read_text())
    (saved / "manifest.json").write_text(
        json.dumps({**manifest, "schema_version": 1})
    )

    with pytest.raises(ValueError, match="schema version 1; .* reads 3"):
        read(saved)


@pytest.mark.parametrize("file", FILES)
def test_what_is_no_ordinary_file_is_not_opened(saved, file):
    (saved / file).unlink()
    os.mkfifo(saved / file)  # whose reader would wait for ever

    with pytest.raises(ValueError, match=f"{file} is not an ordinary file"):
        read(saved)


def test_a_link_out_of_the_checkpoint_is_not_followed(saved, tmp_path):
    (saved / "arrays.bin").rename(tmp_path / "elsewhere")
    (saved / "arrays.bin").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ValueError, match="arrays.bin is not an ordinary file"):
        read(saved)


@pytest.mark.parametrize(
    ("function", "call"),
    [("fsync", call) for call in range(4)] + [("replace", 0)],
)
def test_a_full_disk_leaves_the_checkpoint_before(
    saved, monkeypatch, function, call
):
    calls = iter(range(10))
    original = getattr(os, function)

    def failing(*args):
        if next(calls) == call:
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(*args)

    monkeypatch.setattr(os, function, failing)
    with pytest.raises(OSError, match="No space left"):
        write(saved.parent / "epoch-2")

    read(saved)
    assert list(saved.parent.iterdir()) == [saved]
