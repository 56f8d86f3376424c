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

from rigl_cli import paper_flags
from rigl_cli import program
from rigl_cli import run_flags


def parser():
    """Returns the parser of the flags."""
    flags = program.Parser("sweep", __doc__)
    flags.add(
        "sweep",
        help="Name of a file in gin_configs/sweeps, or a path; without it, "
        "--list prints the names.",
    )
    run_flags.add(flags)
    flags.add(
        "list",
        type=bool,
        help="Print the numbered runs and stop.",
    )
    flags.add("index", type=int, help="Train only the run with this number.")
    flags.add(
        "only",
        help="Train only runs whose path matches, such as '*/rigl/*'.",
    )
    paper_flags.add(flags)
    paper_flags.add_on(flags)
    return flags


def run():
    """Entry point of `rigl-sweep`."""
    program.run(parser(), "continue it with the same command")
