"""Flags for the `main` of a program, from its command line."""

import importlib


def flags(program, *arguments):
    """Returns the parsed flags of a program, such as `"train"`."""
    parser = importlib.import_module(f"rigl_cli.{program}").parser()
    return parser.parse_args([str(each) for each in arguments])
