"""Says where in gin files something is set, for messages about it."""

import pathlib

from gin import config_parser


def statements(paths, bindings, folder):
    """The statements of gin files and bindings, those of includes in place.

    Args:
        paths: List of paths of gin files that gin can parse.
        bindings: List of strings.
        folder: Path that other paths may start from.

    Raises:
        ValueError: If a file includes itself, directly or through others.
    """
    found = []
    for path in paths:
        found += _of_file(_located(path, folder), folder, ())
    return found + list(config_parser.ConfigParser("\n".join(bindings), _Raw()))


def of(name, configurables, found):
    """Where a parameter or macro was set last, in gin's words.

    Args:
        name: String.
        configurables: Names of functions and classes that it may belong to.
        found: List of statements.

    Returns:
        String, empty if it was not set. A parameter that was set to a macro
        is where the macro is.
    """
    set_here = [
        statement
        for statement in found
        if isinstance(statement, config_parser.BindingStatement)
        and name == (statement.arg_name or statement.selector)
        and (
            not statement.arg_name
            or statement.selector.split(".")[-1] in configurables
        )
    ]
    if not set_here:
        return ""
    last = set_here[-1]
    macro = isinstance(last.value, _Macro)
    return macro and of(last.value, (), found) or in_words(last)


class Reference(str):
    """The name of something that a value refers to."""


class _Macro(str):
    """The name of a macro."""


class _Raw(config_parser.ParserDelegate):
    """Looks nothing up."""

    def configurable_reference(self, name, evaluate):
        del evaluate
        return Reference(name)

    def macro(self, name):
        return _Macro(name)


def _of_file(path, folder, above):
    found = []
    with path.open(encoding="utf-8") as file:
        for statement in config_parser.ConfigParser(file, _Raw()):
            if not isinstance(statement, config_parser.IncludeStatement):
                found.append(statement)
                continue
            included = _located(statement.filename, folder)
            if included.resolve() in (path.resolve(), *above):
                raise ValueError(
                    "The gin files include one another in a circle: "
                    f"{included}. Take one include out. {in_words(statement)}"
                )
            found += _of_file(included, folder, (path.resolve(), *above))
    return found


def _located(path, folder):
    path = pathlib.Path(path)
    return path if path.exists() else folder / path


def in_words(statement):
    """Where a statement stands, in gin's words."""
    place = statement.location
    file = f'file "{place.filename}",' if place.filename else "bindings string"
    return f"In {file} line {place.line_num} {place.line_content.strip()}"
