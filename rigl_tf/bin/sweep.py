"""Trains all unfinished runs of a sweep.

rigl-sweep --sweep=digits --list
rigl-sweep --sweep=digits --output_dir=runs
rigl-sweep --sweep=digits --output_dir=runs --jobs=2
rigl-sweep --sweep=digits --output_dir=runs --index=7
rigl-sweep --sweep=digits --output_dir=runs --only='*/rigl/*'

All runs of a table or figure of a paper, on its data or on another task:

rigl-sweep --paper=rigl_reproduction --table=2 --output_dir=runs
rigl-sweep --paper=rigl_reproduction --table=2 --on=digits_mlp \\
    --output_dir=runs

The file of a sweep is code: run only files that you have read.
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

_SWEEP = flags.DEFINE_string(
    "sweep", None, "Name of a file in gin_configs/sweeps, or a path."
)
_LIST = flags.DEFINE_bool("list", False, "Print the numbered runs and stop.")
_INDEX = flags.DEFINE_integer(
    "index", None, "Train only the run with this number."
)
_ONLY = flags.DEFINE_string(
    "only", None, "Train only runs whose path matches, such as '*/rigl/*'."
)


def main():
    """Lists or trains the runs that the flags describe."""
    name, paper = paper_flags.paper()
    if (_SWEEP.value is None) == (paper is None):
        raise ValueError(
            "Pass either --sweep, such as --sweep=digits, or --paper and "
            "--table. See --help."
        )
    item = None if paper is None else paper_flags.item(paper)
    if item is None:
        files = [config_files.find("sweeps", _SWEEP.value)]
        with config_files.parsed(files, []):
            runs = gin.get_configurable(sweep_grid.grid)()
    else:
        runs = table_runs.runs(item, paper_flags.task())
    selected = _select(runs)
    if _LIST.value:
        for number, run in selected.items():
            print(f"{number:4d}  {run.path}")
        return
    runs = list(selected.values())
    output_dir = parallel_runs.output_dir("sweeps")
    finished = sum((output_dir / r.path / RECORD).exists() for r in runs)
    start = time.monotonic()
    for number, (run, record) in enumerate(
        parallel_runs.train_all(runs, output_dir), 1
    ):
        seconds = time.monotonic() - start
        # Runs that were finished before took no time.
        left = seconds / max(number - finished, 1) * (len(runs) - number)
        print(
            f"[{number}/{len(runs)}] {run.path}  "
            f"test accuracy {100 * record.test['accuracy']:.2f} %, "
            f"{record.seconds:.0f} s, about {left:.0f} s left",
            flush=True,
        )
    print(f"{len(runs)} runs in {time.monotonic() - start:.0f} s\n")
    if item is None:
        report.show(output_dir)
    else:
        paper_report.show(name, item, output_dir, paper_flags.task())


def _select(runs):
    """Returns a dictionary from number to run, for the selected runs."""
    selected = dict(enumerate(runs))
    if _INDEX.value is not None:
        if _INDEX.value not in selected:
            raise ValueError(
                f"--index must be between 0 and {len(runs) - 1}. "
                f"Received: --index={_INDEX.value}."
            )
        selected = {_INDEX.value: runs[_INDEX.value]}
    if _ONLY.value is not None:
        selected = {
            number: run
            for number, run in selected.items()
            if fnmatch.fnmatchcase(str(run.path), _ONLY.value)
        }
        if not selected:
            raise ValueError(
                "--only must match the path of a run. Received: "
                f"--only={_ONLY.value!r}. See --list."
            )
    return selected


def run():
    """Entry point of `rigl-sweep`."""
    cli.run(main, resume_hint="continue it with the same command")


if __name__ == "__main__":
    run()
