"""Trains every run of a sweep, skipping those that are finished.

rigl-sweep --sweep=digits --list
rigl-sweep --sweep=digits --output_dir=runs
rigl-sweep --sweep=digits --output_dir=runs --jobs=2
rigl-sweep --sweep=digits --output_dir=runs --index=7
rigl-sweep --sweep=digits --output_dir=runs --only='*/rigl/*'
"""

import concurrent.futures
import fnmatch
import multiprocessing
import os
import pathlib
import time

import gin
import keras
import tensorflow as tf
from absl import flags

from rigl_tf.bin import command
from rigl_tf.bin import configs
from rigl_tf.bin import grids
from rigl_tf.bin import report
from rigl_tf.bin import train

_SWEEP = flags.DEFINE_string("sweep", None, "In gin_configs/sweeps, or a path.")
_SWEEP_DIR = "output_dir"  # rigl-train's flags
_ALLOW_CODE = "allow_config_code"
_LIST = flags.DEFINE_bool("list", False, "Print the numbered runs and stop.")
_JOBS = flags.DEFINE_integer(
    "jobs", 1, "How many runs to train at once, each in a process.", 1
)
_INDEX = flags.DEFINE_integer("index", None, "Do only the run of this number.")
_ONLY = flags.DEFINE_string(
    "only", None, "Only the runs whose path is like this, such as '*/rigl/*'."
)


def main():
    """Lists or trains the runs that the flags describe."""
    for flag in flags.FLAGS.get_flags_for_module(train):
        if flag.present and flag.name not in (_SWEEP_DIR, _ALLOW_CODE):
            raise ValueError(
                f"--{flag.name} is for rigl-train. What the runs of a sweep "
                "are is written in its file in gin_configs/sweeps."
            )
    if _SWEEP.value is None:
        raise ValueError("Say which sweep: --sweep=digits. See --help.")
    allow_code = flags.FLAGS[_ALLOW_CODE].value
    files = [configs.find("sweeps", _SWEEP.value)]
    with configs.parsed(files, [], allow_code):
        runs = gin.get_configurable(grids.grid)()
    chosen = _chosen(runs)
    if _LIST.value:
        for number, run in chosen.items():
            print(f"{number:4d}  {run.path}")
        return
    runs = list(chosen.values())
    output_dir = flags.FLAGS[_SWEEP_DIR].value
    if output_dir is None:
        raise ValueError("Say where the runs go: --output_dir=runs.")
    output_dir = pathlib.Path(output_dir)
    start = time.monotonic()
    for number, (run, record) in enumerate(
        _trained(runs, output_dir, allow_code), 1
    ):
        seconds = time.monotonic() - start
        left = seconds / number * (len(runs) - number)
        print(
            f"[{number}/{len(runs)}] {run.path}  "
            f"test accuracy {100 * record.test['accuracy']:.2f} %, "
            f"{record.seconds:.0f} s, about {left:.0f} s left",
            flush=True,
        )
    print(f"{len(runs)} runs in {time.monotonic() - start:.0f} s\n")
    report.show(output_dir)


def _chosen(runs):
    """Dictionary from number to run, of those that the flags choose."""
    chosen = dict(enumerate(runs))
    if _INDEX.value is not None:
        if _INDEX.value not in chosen:
            raise ValueError(
                f"--index must be between 0 and {len(runs) - 1}. "
                f"Received: {_INDEX.value}."
            )
        chosen = {_INDEX.value: runs[_INDEX.value]}
    if _ONLY.value is not None:
        chosen = {
            number: run
            for number, run in chosen.items()
            if fnmatch.fnmatchcase(str(run.path), _ONLY.value)
        }
        if not chosen:
            raise ValueError(
                f"No run has a path like --only={_ONLY.value!r}. See --list."
            )
    return chosen


def _trained(runs, output_dir, allow_code):
    """Pairs of run and record, as they are finished."""
    if _JOBS.value == 1:
        for run in runs:
            yield run, _train(run, output_dir, allow_code)
        return
    # New processes now and then: TensorFlow keeps some memory of each run.
    # Not by `max_tasks_per_child`, with which pools have been seen to hang.
    many = 50 * _JOBS.value
    for some in (runs[i : i + many] for i in range(0, len(runs), many)):
        with concurrent.futures.ProcessPoolExecutor(
            _JOBS.value,
            multiprocessing.get_context("spawn"),  # TensorFlow does not fork
            initializer=_share_cores,
            initargs=(_JOBS.value,),
        ) as pool:
            waiting = {
                pool.submit(_train, run, output_dir, allow_code): run
                for run in some
            }
            try:
                for future in concurrent.futures.as_completed(waiting):
                    yield waiting[future], future.result()
            finally:
                pool.shutdown(cancel_futures=True)


def _train(run, output_dir, allow_code):
    keras.backend.clear_session()  # layers are named as in a first run
    return train.run_one(
        [configs.find("tasks", run.task), configs.find("methods", run.method)],
        run.bindings,
        output_dir / run.path,
        allow_code,
        resume=True,
        verbose=0,
    )


def _share_cores(jobs):
    threads = max((os.cpu_count() or 1) // jobs, 1)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def run():
    """Entry point of `rigl-sweep`."""
    command.run(main)


if __name__ == "__main__":
    run()
