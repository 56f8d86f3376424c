"""Finds the lines of gin files that set a value, for error messages."""

import pathlib

from gin import config_parser


def statements(paths, bindings, folder):
    """Returns the statements of gin files, their includes and bindings.

    Args:
        paths: List of paths of gin files that gin can parse.
        bindings: List of strings.
        folder: Path of the directory that relative paths may start from.

    Raises:
        ValueError: If a file includes itself, directly or through others.
    """
    result = []
    for path in paths:
        result += _file_statements(_locate(path, folder), folder, ())
    return result + list(
        config_parser.ConfigParser("\n".join(bindings), _Raw())
    )


def last_binding(name, configurables, statements):
    """Returns the statement that last set a parameter or macro.

    Args:
        name: String, name of the parameter or macro.
        configurables: Names of functions and classes with the parameter.
        statements: List of statements.

    Returns:
        A binding, or `None` if the name was not set. For a parameter that was
        set to a macro, the binding of the macro.
    """
    bindings = [
        statement
        for statement in statements
        if isinstance(statement, config_parser.BindingStatement)
        and name == (statement.arg_name or statement.selector)
        and (
            not statement.arg_name
            or statement.selector.split(".")[-1] in configurables
        )
    ]
    if not bindings:
        return None
    last = bindings[-1]
    is_macro = isinstance(last.value, _Macro)
    macro = last_binding(last.value, (), statements) if is_macro else None
    return macro or last


def last_set(macro, statements):
    """Returns where a macro was last set, as gin formats it."""
    return format_location(last_binding(macro, (), statements))


def set_instead_of(macro, statements):
    """Returns the statement that sets a parameter in place of its macro.

    Args:
        macro: String, a macro that no parameter uses in the end.
        statements: List of statements.

    Returns:
        The last statement that sets the parameter, or `None` if no parameter
        had the macro.
    """
    last, name = {}, None
    for statement in statements:
        if getattr(statement, "arg_name", None):
            if isinstance(statement.value, _Macro) and statement.value == macro:
                name = parameter(statement)
            last[parameter(statement)] = statement
    return last.get(name)


def parameter(statement):
    """Returns the parameter that a binding sets, such as `"Cosine.initial"`."""
    return f"{statement.selector.split('.')[-1]}.{statement.arg_name}"


class Reference(str):
    """The name of an object that a value refers to."""


class _Macro(str):
    """The name of a macro."""


class _Raw(config_parser.ParserDelegate):
    """A delegate that keeps names without looking them up."""

    def configurable_reference(self, name, evaluate):
        del evaluate
        return Reference(name)

    def macro(self, name):
        return _Macro(name)


def _file_statements(path, folder, parents):
    result = []
    with path.open(encoding="utf-8") as file:
        for statement in config_parser.ConfigParser(file, _Raw()):
            if not isinstance(statement, config_parser.IncludeStatement):
                result.append(statement)
                continue
            included = _locate(statement.filename, folder)
            if included.resolve() in (path.resolve(), *parents):
                raise ValueError(
                    "The gin files include one another in a circle: "
                    f"{included}. Remove one include. "
                    f"{format_location(statement)}"
                )
            result += _file_statements(
                included, folder, (path.resolve(), *parents)
            )
    return result


def _locate(path, folder):
    path = pathlib.Path(path)
    return path if path.exists() else folder / path


def format_location(statement):
    """Returns the file and line of a statement, as gin formats them."""
    location = statement.location
    file = (
        f'file "{location.filename}",'
        if location.filename
        else "bindings string"
    )
    line = location.line_content.strip()
    return f"In {file} line {location.line_num} {line}"
