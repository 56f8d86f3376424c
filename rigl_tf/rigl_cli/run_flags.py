"""The flags of programs that train many runs."""

from rigl_cli import program


def add(parser):
    """Adds the flags to a `Parser`."""
    parser.add(
        "output_dir",
        help="Directory of the runs; finished runs in it are kept.",
    )
    parser.add(
        "jobs",
        type=program.COUNT,
        default=1,
        help="Number of runs to train at once, each in a process.",
    )
