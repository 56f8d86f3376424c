"""What programs share that train many runs, several at once."""

import contextlib
import itertools
import multiprocessing
import os
import pathlib
import signal
import sys
import threading
import time
import traceback
from multiprocessing import connection

import keras
import tensorflow as tf
from absl import flags

from rigl_tf import callbacks
from rigl_tf import results
from rigl_tf.bin import cli
from rigl_tf.bin import train
from rigl_tf.gin_tools import config_files

_JOBS = flags.DEFINE_integer(
    "jobs", 1, "How many runs to train at once, each in a process.", 1
)
FLAGS_OF_TRAIN = ("output_dir",)
_FAILED = 2  # exit code of a process that has said why
_SECONDS_TO_SAVE = 30
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def output_dir(kind):
    """The directory that --output_dir gives.

    Args:
        kind: String, where the runs are written down: a folder of
            gin_configs/.

    Raises:
        ValueError: If there is none, or other flags of rigl-train are given.
    """
    for flag in flags.FLAGS.get_flags_for_module(train):
        if flag.present and flag.name not in FLAGS_OF_TRAIN:
            raise ValueError(
                f"--{flag.name} is for rigl-train. What is trained here is "
                f"written in a file in gin_configs/{kind}."
            )
    given = flags.FLAGS["output_dir"].value
    if given is None:
        raise ValueError("Say where the runs go: --output_dir=runs.")
    return pathlib.Path(given)


def trained(runs, directory):
    """Trains runs that are not finished; those that wait for others last.

    A run that fails is named on stderr at once, and the others are trained.

    Args:
        runs: List of `grids.Run`.
        directory: Path.

    Yields:
        Pairs of run and `Record`, as they are finished.

    Raises:
        ChildProcessError: After the last run, if any has failed.
        SystemExit: With code `callbacks.STOPPED`, after SIGTERM or SIGINT.
    """
    failed = []
    for _, alike in itertools.groupby(sorted(runs, key=_waits), _waits):
        for run, record in _outcomes(alike, directory):
            if record is None:
                failed.append(str(run.path))
            else:
                yield run, record
    if failed:
        raise ChildProcessError(
            f"{len(failed)} of {len(runs)} runs failed: {', '.join(failed)}. "
            "The same command tries them again."
        )


def _waits(run):
    return run.waits


def _outcomes(runs, directory):
    """Yields pairs of run and `Record`, or `None` if the run has failed."""
    apart = []
    for run in runs:
        if _JOBS.value == 1 or (directory / run.path / results.RECORD).exists():
            yield run, _train(run, directory)
        else:
            apart.append(run)
    yield from _trained_apart(apart, directory)


def _trained_apart(runs, directory):
    """Trains each run in a process of its own; yields like `_outcomes`.

    Not by `concurrent.futures`: one process that is killed breaks its pool,
    and its workers take the next runs when the program is told to stop.
    """
    spawn = multiprocessing.get_context("spawn")  # TensorFlow does not fork
    waiting, active = list(reversed(runs)), {}
    with _stopped_by_signals():
        try:
            while waiting or active:
                while waiting and len(active) < _JOBS.value:
                    run = waiting.pop()
                    args = (_JOBS.value, run, directory)
                    process = spawn.Process(target=_train_alone, args=args)
                    with _signals_deferred():
                        process.start()
                        active[process.sentinel] = process, run
                for sentinel in connection.wait(active):
                    process, run = active.pop(sentinel)
                    process.join()
                    yield run, _outcome(run, directory, process.exitcode)
        finally:
            _end([process for process, _ in active.values()])


def _outcome(run, directory, code):
    """The `Record` that a process has left, or `None` if it has failed."""
    if code == 0:
        return results.find(directory / run.path)
    if code == callbacks.STOPPED:
        _tell(run, "was stopped, and saved.")
    elif code < 0:
        name = signal.Signals(-code).name
        _tell(run, f"was killed by {name}. Has it run out of memory?")
    elif code != _FAILED:
        _tell(run, f"ended with exit code {code}.")
    return None


def _end(processes):
    """Ends processes, which save first; by force if that takes too long."""
    try:
        for process in processes:
            process.terminate()
        deadline = time.monotonic() + _SECONDS_TO_SAVE
        for process in processes:
            process.join(max(deadline - time.monotonic(), 0))
    finally:  # also after a second signal
        for process in processes:
            process.kill()


@contextlib.contextmanager
def _stopped_by_signals():
    """SIGTERM and SIGINT raise a `SystemExit`, so that processes are ended."""

    def stop(number, frame):
        raise SystemExit(callbacks.STOPPED)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _signals_deferred():
    """Signals wait; in processes that are started here, until they say so."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _train_alone(jobs, *args):
    """Trains one run in this process, which ends when its parent does."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if hasattr(os, "setpgrp"):
        # Ctrl-C and signals to the group are for the parent, who sends one
        # SIGTERM. A second one would end the run before it is saved.
        os.setpgrp()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    threads = max((os.cpu_count() or 1) // jobs, 1)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    if _train(*args) is None:
        sys.exit(_FAILED)


def _end_with_parent():
    multiprocessing.parent_process().join()
    os.kill(os.getpid(), signal.SIGTERM)


def _train(run, directory):
    """The `Record` of a run, or `None` after saying why there is none."""
    keras.backend.clear_session()  # layers are named as in a first run
    try:
        return train.run_one(
            [
                config_files.find("tasks", run.task),
                config_files.find("methods", run.method),
            ],
            run.bindings(directory),
            directory / run.path,
            resume=True,
            verbose=0,
        )
    except Exception as error:
        if os.environ.get("RIGL_TF_TRACEBACK"):
            traceback.print_exc()
        message = cli.one_line(error)
        if not isinstance(error, cli.ORDINARY):
            message = f"{type(error).__name__}: {message}"
        _tell(run, message)
        return None


def _tell(run, message):
    print(f"error: {run.path}: {message}", file=sys.stderr, flush=True)
