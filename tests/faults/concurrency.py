"""Processes that want the same directory, and those of a sweep."""

import contextlib
import errno
import functools
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from unittest import mock

import psutil

from rigl_tf.callbacks import checkpoint_files
from rigl_tf.utils import file_lock
from tests.faults import disk
from tests.faults import harness


def wait_until(happened):
    for _ in range(1200):
        if happened():
            return
        time.sleep(0.1)
    raise AssertionError("It did not happen within two minutes.")


def has_done(run, epochs):
    """Whether a checkpoint of so many epochs, or of more, is there."""
    paths = (run / "checkpoints").glob("epoch-*")
    return any(int(path.name.split("-")[1]) >= epochs for path in paths)


def second_is_refused(directory):
    run = directory / "run"
    first = harness.start(run, "rigl", "--epochs=400")
    wait_until((run / ".lock").exists)
    second = harness.start(run, "rigl", "--epochs=400", "--resume")
    assert second.wait(timeout=60) == 1
    log = run.with_suffix(".log").read_text()
    assert f"is in use by process {first.pid} on" in log, log[-2000:]
    first.kill()
    first.wait()


def dead_holder_is_no_holder(directory):
    run = directory / "run"
    first = harness.start(run, "rigl", "--epochs=400")
    wait_until(lambda: has_done(run, 2))
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert (run / ".lock").exists()
    second = harness.start(run, "rigl", "--epochs=400", "--resume")
    wait_until(lambda: has_done(run, 20))
    second.kill()
    second.wait()


def no_locks(number, directory):
    """A run is trained, with a warning, where the kernel has no locks."""
    error = OSError(number, os.strerror(number))
    with mock.patch("fcntl.flock", side_effect=error):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with file_lock.Lock(directory / "run"):
                pass
    assert ["has no locks" in str(w.message) for w in caught] == [True]


def not_a_lock(make, directory):
    """Something else has the lock's name: it is refused and left alone."""
    target = directory / "target"
    target.write_text("mine")
    run = directory / "run"
    run.mkdir()
    make(run / file_lock.NAME, target)
    try:
        file_lock.Lock(run).__enter__()
    except FileExistsError as error:
        assert "must be a file" in str(error)
    else:
        raise AssertionError("The lock was taken.")
    assert target.read_text() == "mine"


def read_only(directory):
    """A finished run is read where nothing can be written."""
    run = directory / "run"
    run.mkdir()
    disk.mount(run, "size=64M")
    try:
        harness.train(run, "rigl")
        disk.mount(run, "remount,ro")
        harness.train(run, "rigl", "--resume")
    finally:
        subprocess.run(["umount", run], check=True)


def program(name, directory, *lines):
    """Starts a program, two runs at once, whose messages go to a log."""
    file = directory / f"{name}.gin"
    file.write_text(
        "\n".join(["from __gin__ import dynamic_registration", *lines])
    )
    with (directory / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", f"rigl_tf.bin.{name}", "--jobs=2"),
                *(f"--{name}={file}", "--output_dir=runs"),
            ],
            cwd=directory,
            env={
                **os.environ,
                "TF_CPP_MIN_LOG_LEVEL": "3",
                "PYTHONPATH": os.pathsep.join([str(harness.ROOT), *sys.path]),
            },
            start_new_session=True,
            stdout=log,
            stderr=log,
        )


def sweep(directory, rigl, static):
    """Starts a sweep of two runs of RigL and one with fixed masks."""
    return program(
        "sweep",
        directory,
        "from rigl_tf.experiments import sweep_grid",
        "sweep_grid.grid.tasks = ['digits_mlp']",
        "sweep_grid.grid.methods = ['rigl', 'static']",
        "sweep_grid.grid.sparsities = [0.9]",
        "sweep_grid.grid.seeds = [0, 1]",
        f"sweep_grid.grid.settings = {{'rigl': ['EPOCHS = {rigl}'], "
        f"'static': ['EPOCHS = {static}']}}",
    )


def begun(directory):
    """The runs that train or have been stopped, or are finished."""
    return sorted(path.parent for path in directory.rglob("config.gin"))


def finished(directory):
    return sorted(path.parent for path in directory.rglob("record.json"))


def told(send, code, directory):
    """A sweep gets a signal: both runs are saved, and nothing is left."""
    process = sweep(directory, rigl=2000, static=2000)
    family = []
    try:
        wait_until(lambda: len(begun(directory)) == 2)
        family = psutil.Process(process.pid).children(recursive=True)
        send(process.pid)
        assert process.wait(60) == code, process.returncode
        _, alive = psutil.wait_procs(family, timeout=60)
        assert not alive, alive
    finally:
        for one in (*family, process):
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
    runs = begun(directory)
    assert len(runs) == 2, runs
    for run in runs:
        assert checkpoint_files.paths(run / "checkpoints"), run
    log = (directory / "sweep.log").read_text()
    assert "Traceback" not in log, log[-3000:]


def a_run_is_killed(directory):
    """The sweep names it and trains the others; later it does this one."""
    process = sweep(directory, rigl=60, static=1)
    wait_until(lambda: len(begun(directory)) == 2)
    run = begun(directory)[0]
    os.kill(
        json.loads((run / file_lock.NAME).read_text())["pid"], signal.SIGKILL
    )
    assert process.wait(300) == 2
    log = (directory / "sweep.log").read_text()
    path = run.relative_to(directory / "runs")
    assert f"error: {path}: was killed by SIGKILL" in log, log
    assert f"error: 1 of 4 runs failed: {path}. Run the same" in log, log
    assert "Traceback" not in log, log[-3000:]
    assert len(finished(directory)) == 3
    assert sweep(directory, rigl=60, static=1).wait(300) == 0
    assert len(finished(directory)) == 4


def a_run_fails(directory):
    """The sweep says so at once, and the others are trained."""
    process = sweep(directory, rigl=-1, static=40)
    log = directory / "sweep.log"
    wait_until(lambda: log.read_text().count("Received: epochs=-1") == 2)
    assert process.poll() is None
    assert process.wait(300) == 2
    assert len(finished(directory)) == 2


def two_studies(directory):
    """The second is told who tunes there, and the first goes on."""
    study = functools.partial(
        program,
        "study",
        directory,
        "from rigl_tf.experiments import tuning",
        "tuning.Study.task = 'digits_mlp'",
        "tuning.Study.method = 'rigl'",
        "tuning.Study.sparsities = (0.9,)",
        "tuning.Study.num_trials = 1",
        "tuning.Study.seeds = (0,)",
        "tuning.Study.ranges = {'ALPHA': (0.1, 0.6)}",
    )
    first = study()
    wait_until((directory / "runs" / file_lock.NAME).exists)
    second = study()
    assert second.wait(120) == 2
    log = (directory / "study.log").read_text()
    assert f"error: runs is in use by process {first.pid} on" in log, log
    assert first.wait(300) == 0


NOT_LOCKS = {
    "a link": lambda path, target: path.symlink_to(target),
    "a directory": lambda path, target: path.mkdir(),
    "a pipe": lambda path, target: os.mkfifo(path),
}
SIGNALS = {
    "Ctrl-C": (lambda pid: os.killpg(pid, signal.SIGINT), 75),
    "SIGTERM": (lambda pid: os.kill(pid, signal.SIGTERM), 75),
    "SIGTERM to the group": (lambda pid: os.killpg(pid, signal.SIGTERM), 75),
    "SIGKILL": (lambda pid: os.kill(pid, signal.SIGKILL), -9),
}


def faults(few):
    yield "second process in a directory", "training", second_is_refused
    for number in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
        inject = functools.partial(no_locks, number)
        yield "file system without locks", errno.errorcode[number], inject
    for name, make in NOT_LOCKS.items():
        yield "not a lock", name, functools.partial(not_a_lock, make)
    for name, (send, code) in SIGNALS.items():
        if name == "Ctrl-C" or not few:
            inject = functools.partial(told, send, code)
            yield "a sweep is told to stop", name, inject
    if few:
        return
    yield "lock of a dead process", "killed", dead_holder_is_no_holder
    yield "second process in a directory", "study", two_studies
    yield "a run of a sweep ends", "killed", a_run_is_killed
    yield "a run of a sweep ends", "fails", a_run_fails
    if disk.can_mount():
        yield "read-only disk", "finished run", read_only


if __name__ == "__main__":
    harness.main(faults)
