"""Tests claims of the papers on data that trains in minutes.

rigl-claims
rigl-claims --claim=3 --output_dir=runs/claims
rigl-claims --claim=3,4 --output_dir=runs/claims --jobs=2
rigl-claims --claim=3 --on=digits_mlp --output_dir=runs/digits
rigl-claims --output_dir=runs/claims --report

The first command lists the claims. The second trains the runs of a claim that
are not finished and prints its table; the third, of several claims; the
fourth, on another task. --report trains nothing and prints the tables of all
claims with finished runs. Claims share runs, and the trials that choose their
settings.
"""

from rigl_cli import paper_flags
from rigl_cli import program
from rigl_cli import run_flags


def parser():
    """Returns the parser of the flags."""
    flags = program.Parser("claims", __doc__)
    flags.add(
        "claim",
        type=list,
        help="Numbers of claims, separated by commas; all by default.",
    )
    flags.add("report", type=bool, help="Train nothing.")
    run_flags.add(flags)
    paper_flags.add_on(flags)
    return flags


def run():
    """Entry point of `rigl-claims`."""
    program.run(parser(), "continue it with the same command")
