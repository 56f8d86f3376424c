"""What programs share that train many runs, several at once."""

import builtins
import concurrent.futures
import itertools
import multiprocessing
import os
import pathlib

import keras
import tensorflow as tf
from absl import flags

from rigl_tf.bin import configs
from rigl_tf.bin import train

_JOBS = flags.DEFINE_integer(
    "jobs", 1, "How many runs to train at once, each in a process.", 1
)
FLAGS_OF_TRAIN = ("output_dir",)


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

    Args:
        runs: List of `grids.Run`.
        directory: Path.

    Yields:
        Pairs of run and `Record`, as they are finished.
    """
    runs = sorted(runs, key=_waits)
    if _JOBS.value == 1:
        for run in runs:
            yield run, _train(run, directory)
        return
    for some in _batches(runs):
        with concurrent.futures.ProcessPoolExecutor(
            _JOBS.value,
            multiprocessing.get_context("spawn"),  # TensorFlow does not fork
            initializer=_share_cores,
            initargs=(_JOBS.value,),
        ) as pool:
            waiting = {
                pool.submit(_train_apart, run, directory): run for run in some
            }
            try:
                for future in concurrent.futures.as_completed(waiting):
                    yield waiting[future], future.result()
            finally:
                pool.shutdown(cancel_futures=True)


def _waits(run):
    return run.waits


def _batches(runs):
    """Lists of runs of which none waits for another.

    New processes now and then: TensorFlow keeps some memory of each run. Not
    by `max_tasks_per_child`, with which pools have been seen to hang.
    """
    many = 50 * _JOBS.value
    for _, alike in itertools.groupby(runs, _waits):
        alike = list(alike)
        yield from (alike[i : i + many] for i in range(0, len(alike), many))


def _train_apart(*args):
    """Trains in another process, which takes back ordinary errors only."""
    try:
        return _train(*args)
    except Exception as error:  # gin makes classes of its own of them
        kind = next(k for k in type(error).__mro__ if _is_builtin(k))
        raise kind(str(error)) from None


def _is_builtin(kind):
    return getattr(builtins, kind.__name__, None) is kind


def _train(run, directory):
    keras.backend.clear_session()  # layers are named as in a first run
    return train.run_one(
        [configs.find("tasks", run.task), configs.find("methods", run.method)],
        run.bindings(directory),
        directory / run.path,
        resume=True,
        verbose=0,
    )


def _share_cores(jobs):
    threads = max((os.cpu_count() or 1) // jobs, 1)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
