"""Refuses gin files from elsewhere that reach for more than this library."""

import importlib
import pathlib
import types

from gin import config_parser

from rigl_tf.bin import places

_TRUSTED = ("rigl_tf", "keras")


def check(found, folder):
    """Looks at what gin files would import and call, before gin does it.

    Keras itself can read and write files, so this is no wall around a file
    that is meant to do harm. It stops the plain ways to run other code.

    Args:
        found: List of statements, of `places.statements`.
        folder: Path, whose files are trusted.

    Raises:
        ValueError: If a file outside of the folder imports something other
            than Keras and this library, or reaches it through them.
    """
    symbols = {}
    for statement in found:
        file = statement.location.filename
        if file is None or _is_inside(file, folder):
            continue
        if isinstance(statement, config_parser.ImportStatement):
            if statement.module.startswith("__gin__."):
                continue
            if statement.module.split(".")[0] not in _TRUSTED:
                raise _refusal(statement, f"imports {statement.module}")
            symbols[file, statement.bound_name()] = statement
        for name in _references(statement):
            root, *attributes = name.split("/")[-1].split(".")
            source = symbols.get((file, root))
            if source is not None and not _is_ours(source, attributes):
                raise _refusal(statement, f"reaches for {name}")


def _refusal(statement, does):
    return ValueError(
        f"The file {does}, which is neither of Keras nor of rigl_tf and may "
        "do anything. If you trust the file, pass --allow_config_code. "
        + places.in_words(statement)
    )


def _is_inside(file, folder):
    return pathlib.Path(file).resolve().is_relative_to(folder.resolve())


def _references(statement):
    """Names of what a statement configures or refers to."""
    if isinstance(statement, config_parser.BindingStatement):
        yield statement.selector
        yield from _in_value(statement.value)
    elif isinstance(statement, config_parser.BlockDeclaration):
        yield statement.selector


def _in_value(value):
    if isinstance(value, places.Reference):
        yield str(value)
    elif isinstance(value, dict):
        for pair in value.items():
            yield from _in_value(pair)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _in_value(part)


def _is_ours(source, attributes):
    """Whether a path from an import leads through ours to something of ours."""
    found = _imported(source)
    for name in attributes:
        if name.startswith("_") or not hasattr(found, name):
            return False
        found = getattr(found, name)
        here = (
            found.__name__
            if isinstance(found, types.ModuleType)
            else getattr(found, "__module__", None)
        )
        if str(here).split(".")[0] not in _TRUSTED:
            return False
    return True


def _imported(source):
    if not source.is_from:
        module = importlib.import_module(source.module)
        if source.alias:
            return module
        return importlib.import_module(source.module.split(".")[0])
    module, name = source.module.rsplit(".", 1)
    parent = importlib.import_module(module)
    if not hasattr(parent, name):
        importlib.import_module(source.module)
    return getattr(parent, name)
