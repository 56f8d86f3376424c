"""The flags that select a table or figure of a paper."""


def add(parser):
    """Adds the flags to a `Parser`."""
    parser.add(
        "paper", help="Paper, such as rigl_reproduction; see rigl-papers."
    )
    parser.add("table", help="Table of --paper, such as 2.")
    parser.add("figure", help="Figure of --paper, such as 1.")


def add_on(parser):
    """Adds the flag that replaces the task of a paper."""
    parser.add(
        "on",
        help="Task that replaces the tasks of a paper, such as digits_mlp; a "
        "gin file is code.",
    )
