"""Looks up the table or figure of a paper that the flags select."""

from rigl_tf import papers
from rigl_tf.gin_tools import config_files
from rigl_tf.papers import table_runs


def paper(flags):
    """Returns the name in --paper and its `Paper`, or `None` for both.

    Raises:
        ValueError: If the paper is unknown, or --paper is missing.
    """
    if flags.paper is None:
        if flags.table or flags.figure or getattr(flags, "on", None):
            raise ValueError(
                "--table, --figure and --on need a paper: pass --paper, one of "
                f"{', '.join(table_runs.table_files())}."
            )
        return None, None
    if flags.paper not in table_runs.table_files():
        raise ValueError(
            f"--paper must be one of {', '.join(table_runs.table_files())}. "
            f"Received: --paper={flags.paper}."
        )
    return flags.paper, papers.read(table_runs.table_files()[flags.paper])


def has_item(flags):
    """Returns whether --table or --figure is set."""
    return bool(flags.table or flags.figure)


def item(flags, paper):
    """Returns the table or figure of a `Paper` in --table or --figure.

    Raises:
        ValueError: If neither or both flags are set, or the paper has no such
            table or figure.
    """
    if bool(flags.table) == bool(flags.figure):
        raise ValueError(
            "One of --table and --figure must be set, such as --table=2. The "
            f"paper has: {', '.join(paper.items)}."
        )
    flag = "table" if flags.table else "figure"
    value = flags.table or flags.figure
    for name in (f"{flag.capitalize()} {value}", value):
        if name in paper.items:
            return paper.items[name]
    raise ValueError(
        f"--{flag} must be in the paper, which has: {', '.join(paper.items)}. "
        f"Received: --{flag}={value}."
    )


def task(flags):
    """Returns the task in --on, or `None`."""
    if flags.on is not None:
        config_files.find("tasks", flags.on)  # raises for unknown tasks
    return flags.on
