"""Prints a table of all records below a directory and plots them.

rigl-report --runs=runs
rigl-report --runs=runs --masks=dense2

A table or figure of a paper from such records, compared with the paper:

rigl-report --paper=rigl_reproduction --table=2 --runs=runs
rigl-report --paper=rigl_reproduction --table=2 --runs=runs --format=latex
"""

from rigl_cli import module_flag
from rigl_cli import paper_flags
from rigl_cli import program

FORMATS = ("markdown", "csv", "latex")


def parser():
    """Returns the parser of the flags."""
    flags = program.Parser("report", __doc__)
    flags.add("runs", default="runs", help="Directory of the runs.")
    flags.add(
        "format",
        choices=FORMATS,
        default="markdown",
        help="The format of the tables; printed Markdown is made to fit in 100 "
        "columns.",
    )
    flags.add(
        "masks",
        help="Kernel whose mask is drawn for the first run of each group.",
    )
    module_flag.add(flags)
    paper_flags.add(flags)
    paper_flags.add_on(flags)
    return flags


def run():
    """Entry point of `rigl-report`."""
    program.run(parser())
