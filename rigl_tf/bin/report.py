"""Prints the table of all records below a directory and draws them.

rigl-report --runs=runs
"""

import pathlib

from absl import flags

from rigl_tf import plots
from rigl_tf import results
from rigl_tf.bin import command

_RUNS = flags.DEFINE_string("runs", "runs", "Directory of the runs.")


def show(directory):
    """Prints the table; writes it and two figures into the directory.

    Args:
        directory: Path below which the records are.

    Raises:
        ValueError: If there are none.
    """
    directory = pathlib.Path(directory)
    records = results.read_all(directory)
    if not records:
        raise ValueError(
            f"There is no finished run below {directory}. Train one with "
            "rigl-train or rigl-sweep."
        )
    table = results.table(records)
    print(table)
    (directory / "table.md").write_text(table + "\n", encoding="utf-8")
    plots.accuracy(records, directory / "accuracy.png")
    plots.densities(records, directory / "densities.png")
    print(f"\nFigures: {directory}/accuracy.png, {directory}/densities.png")


def main():
    """Reports on the directory that the flags name."""
    show(_RUNS.value)


def run():
    """Entry point of `rigl-report`."""
    command.run(main)


if __name__ == "__main__":
    run()
