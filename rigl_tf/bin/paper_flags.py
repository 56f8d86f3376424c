"""The flags that select a table or figure of a paper."""

from absl import flags

from rigl_tf import papers
from rigl_tf.gin_tools import config_files
from rigl_tf.papers import table_runs

_PAPER = flags.DEFINE_string(
    "paper", None, "Paper, such as rigl_reproduction; see rigl-papers."
)
_TABLE = flags.DEFINE_string("table", None, "Table of --paper, such as 2.")
_FIGURE = flags.DEFINE_string("figure", None, "Figure of --paper, such as 1.")
_ON = flags.DEFINE_string(
    "on",
    None,
    "Task that replaces the paper's tasks, such as digits_mlp; a gin file is "
    "code.",
)


def paper():
    """Returns the name in --paper and its `Paper`, or `None` for both.

    Raises:
        ValueError: If the paper is unknown, or --paper is missing.
    """
    if _PAPER.value is None:
        if _TABLE.value or _FIGURE.value or _ON.value:
            raise ValueError(
                "--table, --figure and --on need a paper: pass --paper, one of "
                f"{', '.join(table_runs.table_files())}."
            )
        return None, None
    if _PAPER.value not in table_runs.table_files():
        raise ValueError(
            f"--paper must be one of {', '.join(table_runs.table_files())}. "
            f"Received: --paper={_PAPER.value}."
        )
    return _PAPER.value, papers.read(table_runs.table_files()[_PAPER.value])


def has_item():
    """Returns whether --table or --figure is set."""
    return bool(_TABLE.value or _FIGURE.value)


def item(paper):
    """Returns the table or figure of a `Paper` in --table or --figure.

    Raises:
        ValueError: If neither or both flags are set, or the paper has no such
            table or figure.
    """
    if bool(_TABLE.value) == bool(_FIGURE.value):
        raise ValueError(
            "One of --table and --figure must be set, such as --table=2. The "
            f"paper has: {', '.join(paper.items)}."
        )
    flag = "table" if _TABLE.value else "figure"
    value = _TABLE.value or _FIGURE.value
    for name in (f"{flag.capitalize()} {value}", value):
        if name in paper.items:
            return paper.items[name]
    raise ValueError(
        f"--{flag} must be in the paper, which has: {', '.join(paper.items)}. "
        f"Received: --{flag}={value}."
    )


def task():
    """Returns the task in --on, or `None`."""
    if _ON.value is not None:
        config_files.find("tasks", _ON.value)  # raises for unknown tasks
    return _ON.value
