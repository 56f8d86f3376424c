"""The flags that name a table or a figure of a paper."""

from absl import flags

from rigl_tf import papers
from rigl_tf.gin_tools import config_files
from rigl_tf.papers import table_runs

_PAPER = flags.DEFINE_string(
    "paper", None, "Whose, such as rigl_reproduction; rigl-papers lists them."
)
_TABLE = flags.DEFINE_string("table", None, "A table of --paper, such as 2.")
_FIGURE = flags.DEFINE_string("figure", None, "A figure of --paper, such as 1.")
_ON = flags.DEFINE_string(
    "on", None, "Another task than the paper's, such as digits_mlp."
)


def paper():
    """The name that --paper gives and its `Paper`; `None` for both without.

    Raises:
        ValueError: If there is no such paper.
    """
    if _PAPER.value is None:
        if _TABLE.value or _FIGURE.value or _ON.value:
            raise ValueError(
                "Say of which paper: --paper, one of "
                f"{', '.join(table_runs.files())}."
            )
        return None, None
    if _PAPER.value not in table_runs.files():
        raise ValueError(
            f"--paper must be one of {', '.join(table_runs.files())}. "
            f"Received: --paper={_PAPER.value}."
        )
    return _PAPER.value, papers.read(table_runs.files()[_PAPER.value])


def given():
    """Whether --table or --figure is given."""
    return bool(_TABLE.value or _FIGURE.value)


def item(of):
    """The `Item` of a `Paper` that --table or --figure gives.

    Raises:
        ValueError: If none is given, or the paper has none of that name.
    """
    if bool(_TABLE.value) == bool(_FIGURE.value):
        raise ValueError(
            "Say which one of the paper: --table=2, or --figure=1. It has: "
            f"{', '.join(of.items)}."
        )
    flag = "table" if _TABLE.value else "figure"
    value = _TABLE.value or _FIGURE.value
    for name in (f"{flag.capitalize()} {value}", value):
        if name in of.items:
            return of.items[name]
    raise ValueError(
        f"The paper has: {', '.join(of.items)}. Received: --{flag}={value}."
    )


def task():
    """The task that --on gives, or `None`."""
    if _ON.value is not None:
        config_files.find("tasks", _ON.value)  # or says which there are
    return _ON.value
