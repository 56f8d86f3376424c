"""Lists the tables and figures of the papers, and their runs.

rigl-papers
rigl-papers --paper=rare_gems
rigl-papers --paper=rigl_reproduction --table=2

The list shows the data that a table needs and the sweep that shows the same at
small scale. With --paper, it also shows the FLOPs of all runs, counted as in
the papers; with --table or --figure, the command of every run.
"""

from rigl_cli import paper_flags
from rigl_cli import program


def parser():
    """Returns the parser of the flags."""
    flags = program.Parser("papers", __doc__)
    paper_flags.add(flags)
    return flags


def run():
    """Entry point of `rigl-papers`."""
    program.run(parser())
