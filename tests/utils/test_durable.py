"""Tests of what is on the disk whole, or not at all."""

import errno
import os

import pytest

from rigl_tf.utils import durable


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_two_who_write_at_once_do_not_meet(tmp_path):
    path = tmp_path / "index.md"
    with durable.replacing(path) as first, durable.replacing(path) as second:
        first.write_text("first")
        second.write_text("second")

    assert path.read_text() == "first"  # which was moved there last
    assert names(tmp_path) == ["index.md"]


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "model.keras"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError):
        with durable.replacing(path) as partial:
            assert partial.suffix == ".keras"
            partial.write_text("new")
            raise ZeroDivisionError

    assert path.read_text() == "old"
    assert names(tmp_path) == ["model.keras"]


def test_what_the_dead_have_left_goes_when_its_hour_is_over(tmp_path):
    for name, age in {"a": 60, "b": 7200}.items():
        left = tmp_path / f".partial-{name}-index.md"
        left.mkdir()
        now = left.stat().st_mtime
        os.utime(left, (now - age, now - age))
    (tmp_path / ".partial-c-other.md").write_text("of another file")

    with durable.replacing(tmp_path / "index.md") as partial:
        partial.write_text("new")

    assert names(tmp_path) == [
        ".partial-a-index.md",
        ".partial-c-other.md",
        "index.md",
    ]


def test_who_is_alone_in_a_directory_clears_it_at_once(tmp_path):
    (tmp_path / ".partial-a-record.json").write_text("half")
    (tmp_path / "record.json").write_text("whole")

    durable.clear(tmp_path)

    assert names(tmp_path) == ["record.json"]


def test_only_file_systems_that_sync_no_directory_are_excused(
    tmp_path, monkeypatch
):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    synced = []

    def files_only(path, code=errno.EINVAL):
        if path.is_dir():
            raise OSError(code, os.strerror(code))
        synced.append(path.name)

    monkeypatch.setattr(durable, "_fsync", files_only)
    durable.sync(tmp_path)

    assert synced == ["file"]
    monkeypatch.setattr(
        durable, "_fsync", lambda path: files_only(path, errno.EIO)
    )
    with pytest.raises(OSError, match="Input/output"):
        durable.sync(tmp_path)
