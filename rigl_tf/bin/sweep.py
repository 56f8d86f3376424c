"""Trains the unfinished runs of a sweep or of a table of a paper.

Its help and flags are in `rigl_cli.sweep`.
"""

import fnmatch
import os
import shutil
import sys
import time

import gin

from rigl_tf.bin import paper_flags
from rigl_tf.bin import parallel_runs
from rigl_tf.bin import report
from rigl_tf.experiments import sweep_grid
from rigl_tf.gin_tools import config_files
from rigl_tf.papers import paper_report
from rigl_tf.papers import table_runs
from rigl_tf.results import reports
from rigl_tf.results.records import RECORD


def main(flags):
    """Lists or trains the runs that the flags describe."""
    name, paper = paper_flags.paper(flags)
    if flags.list and flags.sweep is None and paper is None:
        print(config_files.listing("sweeps"))
        return
    if (flags.sweep is None) == (paper is None):
        raise ValueError(
            "Pass either --sweep, such as --sweep=digits, or --paper and "
            "--table. See --help."
        )
    item = None if paper is None else paper_flags.item(flags, paper)
    if item is None:
        files = [config_files.find("sweeps", flags.sweep)]
        with config_files.parsed(files, []):
            runs = gin.get_configurable(sweep_grid.grid)()
    else:
        runs = table_runs.runs(item, paper_flags.task(flags))
    if not runs:
        raise ValueError(
            f"{item.name if item else flags.sweep} has no run to train."
            + (f" {item.test} has its numbers." if item and item.test else "")
        )
    selected = _select(flags, runs)
    if flags.list:
        for number, run in selected.items():
            print(f"{number:4d}  {run.path}")
        return
    runs = list(selected.values())
    output_dir = parallel_runs.output_dir(flags)
    finished = sum((output_dir / r.path / RECORD).exists() for r in runs)
    start = time.monotonic()
    for number, (run, record) in enumerate(
        parallel_runs.train_all(runs, output_dir, flags.jobs), 1
    ):
        seconds = time.monotonic() - start
        # Runs that were finished before took no time.
        left = seconds / max(number - finished, 1) * (len(runs) - number)
        print(
            f"[{number}/{len(runs)}] {run.path}  "
            f"{reports.test_result(record)}, "
            f"{record.seconds:.0f} s, about {left:.0f} s left",
            flush=True,
        )
    # The environment of `make train` is not on the PATH.
    programs = os.path.dirname(sys.argv[0])
    export = shutil.which("rigl-export", path=programs) or "rigl-export"
    print(
        f"{len(runs)} runs in {time.monotonic() - start:.0f} s, below "
        f"{output_dir}. To export one: "
        f"{export} {output_dir / runs[-1].path}\n"
    )
    if item is not None:
        paper_report.show(name, item, output_dir, paper_flags.task(flags))
    elif all(run.is_trial for run in runs):
        print("These runs are trials of settings, which tables leave out.")
    else:
        report.show(output_dir)


def _select(flags, runs):
    """Returns a dictionary from number to run, for the selected runs."""
    selected = dict(enumerate(runs))
    if flags.index is not None:
        if flags.index not in selected:
            raise ValueError(
                f"--index must be between 0 and {len(runs) - 1}. "
                f"Received: --index={flags.index}."
            )
        selected = {flags.index: runs[flags.index]}
    if flags.only is not None:
        selected = {
            number: run
            for number, run in selected.items()
            if fnmatch.fnmatchcase(str(run.path), flags.only)
        }
        if not selected:
            raise ValueError(
                "--only must match the path of a run. Received: "
                f"--only={flags.only!r}. See --list."
            )
    return selected


if __name__ == "__main__":
    from rigl_cli.sweep import run

    run()
