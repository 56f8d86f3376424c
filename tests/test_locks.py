"""Tests of one process at a time in a directory."""

import os

import pytest

from rigl_tf.locks import NAME
from rigl_tf.locks import Lock


def test_a_second_process_is_refused_and_told_who_is_there(tmp_path):
    with Lock(tmp_path):
        with pytest.raises(FileExistsError, match=f"process {os.getpid()} on"):
            Lock(tmp_path).__enter__()


def test_what_a_process_that_died_left_is_no_lock(tmp_path):
    (tmp_path / NAME).write_text('{"pid": 1, "host": "elsewhere"}')

    with Lock(tmp_path):
        assert "elsewhere" not in (tmp_path / NAME).read_text()


def test_a_lock_leaves_nothing_behind(tmp_path):
    for place in (tmp_path, tmp_path / "new"):
        with Lock(place):
            pass

    assert list(tmp_path.iterdir()) == []


def test_a_lock_keeps_what_was_written_in_the_meantime(tmp_path):
    with Lock(tmp_path / "new"):
        (tmp_path / "new" / "file").touch()

    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file"]
