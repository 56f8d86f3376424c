"""Tests of one process at a time in a directory."""

import errno
import multiprocessing
import os
import signal

import keras
import numpy as np
import pytest

from rigl_tf import datasets
from rigl_tf import experiments
from rigl_tf import models
from rigl_tf import results
from rigl_tf.utils.file_lock import NAME
from rigl_tf.utils.file_lock import Lock
from tests import records


def test_a_second_process_is_refused_and_told_who_is_there(tmp_path):
    with Lock(tmp_path):
        with pytest.raises(FileExistsError, match=f"process {os.getpid()} on"):
            Lock(tmp_path).__enter__()


def test_a_process_that_has_not_signed_holds_a_lock_all_the_same(tmp_path):
    with Lock(tmp_path):
        (tmp_path / NAME).write_text("")

        with pytest.raises(FileExistsError, match="in use by another process"):
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


@pytest.mark.parametrize("name", ["ENOLCK", "ENOSYS", "ENOTSUP", "EOPNOTSUPP"])
def test_a_file_system_without_locks_is_warned_of(name, tmp_path, monkeypatch):
    def flock(*args):
        raise OSError(getattr(errno, name), "there is none")

    monkeypatch.setattr("fcntl.flock", flock)

    with pytest.warns(UserWarning, match="no locks .there is none"):
        with Lock(tmp_path / "run"):
            (tmp_path / "run" / "file").touch()

    assert [path.name for path in (tmp_path / "run").iterdir()] == ["file"]


def test_what_is_not_a_file_is_no_lock_and_stays_as_it_is(tmp_path):
    target = tmp_path / "target"
    target.write_text("mine")
    kinds = {
        "a link": lambda path: path.symlink_to(target),
        "a directory": lambda path: path.mkdir(),
        "a device or a pipe": os.mkfifo,
    }
    for words, make in kinds.items():
        run = tmp_path / words
        run.mkdir()
        make(run / NAME)

        with pytest.raises(FileExistsError, match=f"is {words}. Remove it"):
            Lock(run).__enter__()

        assert os.path.lexists(run / NAME)
    assert target.read_text() == "mine"


def hold_and_fork(directory, pipe):
    """Takes the lock, starts a child by fork, and waits."""
    with Lock(directory):
        child = os.fork()
        if child == 0:
            signal.pause()
        pipe.send(child)
        signal.pause()


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_child_does_not_hold_the_lock_of_a_parent_that_died(tmp_path):
    here, there = multiprocessing.Pipe()
    fork = multiprocessing.get_context("fork")
    holder = fork.Process(target=hold_and_fork, args=(tmp_path, there))
    holder.start()
    child = here.recv()
    try:
        with pytest.raises(FileExistsError, match=f"process {holder.pid} on"):
            Lock(tmp_path).__enter__()
        holder.kill()
        holder.join()
        with Lock(tmp_path):
            pass
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_finished_run_is_read_where_nothing_can_be_written(
    tmp_path, monkeypatch
):
    x, y = np.zeros((4, 2)), np.zeros(4, int)
    data = datasets.from_arrays(
        "none", train=(x, y), test=(x, y), num_classes=2, batch_size=2
    )
    task = experiments.Task("digits", data, models.mlp, keras.optimizers.SGD, 1)
    finished = records.record("dense", sparsity=0.0)
    results.write(tmp_path, finished)

    def read_only(path, *args):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(os, "open", read_only)

    assert experiments.train(tmp_path, task, resume=True) == finished
    with pytest.raises(OSError, match="Read-only"):
        experiments.train(tmp_path / "new", task)
