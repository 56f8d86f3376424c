"""Tunes settings of a method on validation data, with Optuna's TPE.

rigl-study --study=digits_updates --output_dir=runs/updates
rigl-study --study=digits_updates --output_dir=runs/updates --jobs=2
rigl-study --study=rigl_reproduction/updates --output_dir=runs/updates

A study is a file in gin_configs/studies. Every trial trains with several seeds.
Its score is the mean of their validation accuracies after the last epoch; test
data are not used for decisions. Trials are stored in studies.db: a study that
was stopped resumes where it was, with the same result as an uninterrupted one.

The file of a study is code: run only files that you have read. From studies.db,
only values in the ranges of the study are used.
"""

from rigl_cli import program
from rigl_cli import run_flags


def parser():
    """Returns the parser of the flags."""
    flags = program.Parser("study", __doc__)
    flags.add("study", help="Name of a file in gin_configs/studies, or a path.")
    flags.add(
        "list",
        type=bool,
        help="Print the names of the studies and stop.",
    )
    run_flags.add(flags)
    return flags


def run():
    """Entry point of `rigl-study`."""
    program.run(parser(), "continue it with the same command")
