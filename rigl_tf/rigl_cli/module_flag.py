"""The flag that imports modules of the user."""


def add(parser):
    """Adds the flag to a `Parser`."""
    parser.add(
        "module",
        type=tuple,
        help="A module with your own algorithm or layers, imported first. May "
        "be repeated.",
    )
