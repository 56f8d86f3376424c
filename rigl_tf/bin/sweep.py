"""Trains every run of a sweep, skipping those that are finished.

rigl-sweep --sweep=digits --list
rigl-sweep --sweep=digits --output_dir=runs
rigl-sweep --sweep=digits --output_dir=runs --jobs=2
rigl-sweep --sweep=digits --output_dir=runs --index=7
rigl-sweep --sweep=digits --output_dir=runs --only='*/rigl/*'

All runs of a table or figure of a paper, on its data or on those of another
task:

rigl-sweep --paper=rigl_reproduction --table=2 --output_dir=runs
rigl-sweep --paper=rigl_reproduction --table=2 --on=digits_mlp \\
    --output_dir=runs

A sweep's file is code: run only those that you have read.
"""

import fnmatch
import time

import gin
from absl import flags

from rigl_tf.bin import cli
from rigl_tf.bin import paper_flags
from rigl_tf.bin import parallel_runs
from rigl_tf.bin import report
from rigl_tf.experiments import sweep_grid
from rigl_tf.gin_tools import config_files
from rigl_tf.papers import paper_report
from rigl_tf.papers import table_runs
from rigl_tf.results.records import RECORD

_SWEEP = flags.DEFINE_string("sweep", None, "In gin_configs/sweeps, or a path.")
_LIST = flags.DEFINE_bool("list", False, "Print the numbered runs and stop.")
_INDEX = flags.DEFINE_integer("index", None, "Do only the run of this number.")
_ONLY = flags.DEFINE_string(
    "only", None, "Only the runs whose path is like this, such as '*/rigl/*'."
)


def main():
    """Lists or trains the runs that the flags describe."""
    name, paper = paper_flags.paper()
    if (_SWEEP.value is None) == (paper is None):
        raise ValueError(
            "Say which sweep: --sweep=digits, or --paper and --table. "
            "See --help."
        )
    if paper is None:
        files = [config_files.find("sweeps", _SWEEP.value)]
        with config_files.parsed(files, []):
            runs = gin.get_configurable(sweep_grid.grid)()
    else:
        item = paper_flags.item(paper)
        runs = table_runs.runs(item, paper_flags.task())
    chosen = _chosen(runs)
    if _LIST.value:
        for number, run in chosen.items():
            print(f"{number:4d}  {run.path}")
        return
    runs = list(chosen.values())
    output_dir = parallel_runs.output_dir("sweeps")
    finished = sum((output_dir / r.path / RECORD).exists() for r in runs)
    start = time.monotonic()
    for number, (run, record) in enumerate(
        parallel_runs.trained(runs, output_dir), 1
    ):
        seconds = time.monotonic() - start
        # Those that were finished before took no time.
        left = seconds / max(number - finished, 1) * (len(runs) - number)
        print(
            f"[{number}/{len(runs)}] {run.path}  "
            f"test accuracy {100 * record.test['accuracy']:.2f} %, "
            f"{record.seconds:.0f} s, about {left:.0f} s left",
            flush=True,
        )
    print(f"{len(runs)} runs in {time.monotonic() - start:.0f} s\n")
    if paper is None:
        report.show(output_dir)
    else:
        paper_report.show(name, item, output_dir, paper_flags.task())


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


def run():
    """Entry point of `rigl-sweep`."""
    cli.run(main, goes_on="the same command goes on")


if __name__ == "__main__":
    run()
