"""Trains many runs, several of them in parallel processes."""

import contextlib
import functools
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
from typing import Any

import keras
import tensorflow as tf

from rigl_cli import program
from rigl_tf import callbacks
from rigl_tf import results
from rigl_tf.bin import errors
from rigl_tf.bin import train
from rigl_tf.experiments import TracedModel
from rigl_tf.experiments import tuning
from rigl_tf.gin_tools import config_files

_FAILED = 2  # the answer of a process that has printed its error
_SECONDS_TO_SAVE = 30
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def output_dir(flags):
    """Returns the directory in --output_dir.

    Raises:
        ValueError: If the flag is missing.
    """
    if flags.output_dir is None:
        raise ValueError("Pass a directory for the runs: --output_dir=runs.")
    return pathlib.Path(flags.output_dir)


def train_all(runs, directory, jobs=1):
    """Trains unfinished runs; runs that wait for other runs come last.

    The error of a failed run is printed to stderr at once, and training
    continues with the other runs.

    Args:
        runs: List of `sweep_grid.Run`.
        directory: Path.
        jobs: Integer, runs to train at once, each in a process.

    Yields:
        Pairs of run and `Record`, as runs finish.

    Raises:
        ChildProcessError: After the last run, if any has failed.
        ValueError: If the task of a trial has no validation data.
        SystemExit: With code `callbacks.STOPPED`, after SIGTERM or SIGINT.
    """
    trials = {
        run.task: run
        for run in runs
        if run.is_trial and not (directory / run.path / results.RECORD).exists()
    }
    for run in trials.values():
        tuning.check_validation_data(run)
    failed = []
    for _, group in itertools.groupby(sorted(runs, key=_level), _level):
        for run, record in _outcomes(group, directory, jobs):
            if record is None:
                failed.append(str(run.path))
            else:
                yield run, record
    if failed:
        raise ChildProcessError(
            f"{len(failed)} of {len(runs)} runs failed: {', '.join(failed)}. "
            "Run the same command to try them again."
        )


def _level(run):
    return run.level


def _outcomes(runs, directory, jobs):
    """Yields pairs of run and `Record`, or `None` if the run failed."""
    remaining = []
    for run in runs:
        if jobs == 1 or (directory / run.path / results.RECORD).exists():
            yield run, _train(run, directory)
        else:
            remaining.append(run)
    yield from _train_in_processes(remaining, directory, jobs)


def _train_in_processes(runs, directory, jobs):
    """Trains runs in several processes; yields like `_outcomes`.

    `concurrent.futures` is not used: one killed process breaks its pool, and
    its workers start the next runs after a signal to stop.
    """
    spawn = multiprocessing.get_context("spawn")  # TensorFlow does not fork
    waiting = list(runs)
    active: dict[Any, Any] = {}  # from pipe to process and run

    def give(process, pipe, last=None):
        run = _pop(waiting, last, [run for _, run in active.values()])
        active[pipe] = process, run
        # If the process was killed meanwhile, `recv` says so.
        with contextlib.suppress(OSError):
            pipe.send(run)

    with _stopped_by_signals():
        try:
            while waiting or active:
                while waiting and len(active) < jobs:
                    with _signals_deferred():
                        pipe, theirs = spawn.Pipe()
                        args = (__name__, "train_each", jobs, directory, theirs)
                        process = spawn.Process(target=program.call, args=args)
                        process.start()
                        theirs.close()
                        give(process, pipe)
                ready: list[Any] = connection.wait(active)
                for pipe in ready:
                    process, run = active.pop(pipe)
                    try:
                        code = pipe.recv()
                    except (EOFError, ConnectionError):
                        process.join()
                        code = process.exitcode
                    else:
                        if waiting:
                            give(process, pipe, run)
                        else:
                            pipe.close()  # which ends the process
                            process.join()
                    yield run, _outcome(run, directory, code)
        finally:
            _terminate([process for process, _ in active.values()])


def _pop(waiting, last, active):
    """Removes and returns the run that a process should train next.

    Runs of one folder differ only in their seed and share a traced model, so
    they are best trained in one process.

    Args:
        waiting: List of runs.
        last: The last run of the process, or `None`.
        active: List of the runs of other processes.
    """
    elsewhere = {run.path.parent for run in active}

    def rank(i):
        folder = waiting[i].path.parent
        if last is not None and folder == last.path.parent:
            return 0
        return 2 if folder in elsewhere else 1

    return waiting.pop(min(range(len(waiting)), key=rank))


def _outcome(run, directory, code):
    """Returns the `Record` of a finished process, or `None` if it failed."""
    if code == 0:
        return results.find(directory / run.path)
    if code == callbacks.STOPPED:
        _print_error(run, "was stopped and saved.")
    elif code < 0:
        name = signal.Signals(-code).name
        _print_error(
            run, f"was killed by {name}. Check whether memory ran out."
        )
    elif code != _FAILED:
        _print_error(run, f"ended with exit code {code}.")
    return None


def _terminate(processes):
    """Terminates processes, which save first; kills them after a timeout."""
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
    """Raises `SystemExit` on SIGTERM and SIGINT, so that processes end."""

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
    """Blocks signals; processes started in this block inherit that."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def train_each(jobs, directory, pipe):
    """Trains the runs that come through a pipe, and ends with its parent."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if hasattr(os, "setpgrp"):
        # Ctrl-C and signals to the group reach only the parent, which sends
        # one SIGTERM. A second signal would end the run before it is saved.
        os.setpgrp()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    threads = max((os.cpu_count() or 1) // jobs, 1)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    while True:
        try:
            run = pipe.recv()
        except EOFError:
            return
        pipe.send(0 if _train(run, directory) else _FAILED)


def _end_with_parent():
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _train(run, directory):
    """Returns the `Record` of a run, or `None` after printing the error."""
    keras.backend.clear_session()  # resets the names of layers
    try:
        # A source is the same for each way of writing the directory.
        seed, *others = run.bindings(os.path.abspath(directory))
        return train.run_one(
            [
                config_files.find("tasks", run.task),
                config_files.find("methods", run.method),
            ],
            [seed, *others],
            directory / run.path,
            resume=True,
            verbose=0,
            traced=_traced_model(run.task, run.method, tuple(others)),
            reports=False,
        )
    except Exception as error:
        if os.environ.get("RIGL_TF_TRACEBACK"):
            traceback.print_exc()
        _print_error(run, errors.describe(error))
        return None


@functools.lru_cache(maxsize=1)
def _traced_model(task, method, bindings):
    """Returns the `TracedModel` of all runs that differ only in their seed."""
    del task, method, bindings
    return TracedModel()


def _print_error(run, message):
    print(f"error: {run.path}: {message}", file=sys.stderr, flush=True)
