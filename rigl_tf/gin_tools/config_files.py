"""Finds and parses gin files, and explains errors in them.

A gin file is code: parsing it runs its imports and calls.
"""

import contextlib
import difflib
import functools
import logging
import pathlib
import re
import textwrap

import gin
from gin import utils
from gin.resource_reader import system_path_reader

from rigl_tf.gin_tools import locations

_PACKAGE = pathlib.Path(__file__).parent.parent


def folder():
    """Returns the path of `gin_configs/` in a checkout or a wheel."""
    for path in (_PACKAGE.parent / "gin_configs", _PACKAGE / "gin_configs"):
        if path.is_dir():
            return path
    raise FileNotFoundError(
        f"gin_configs/ must be next to or inside {_PACKAGE}. Reinstall rigl_tf."
    )


_SINGULAR = {"studies": "study"}  # other names only drop the s


def find(category, name):
    """Returns the path of the gin file of a task, method, sweep or study.

    Args:
        category: String, a folder of `gin_configs/`.
        name: String, name of a file without `.gin`, such as `rigl`, or
            `ggr/rigl` for a file of a paper. Or the path of any file, with
            `.gin`.

    Raises:
        ValueError: If the file does not exist; the error lists all names.
    """
    if name.endswith(".gin"):
        if not pathlib.Path(name).is_file():
            raise ValueError(f"There is no file {name}.")
        return pathlib.Path(name)
    names = _files(category)
    if name in names:
        return names[name]
    close = difflib.get_close_matches(name, names)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    if pathlib.Path(f"{name}.gin").is_file():
        hint = f" Did you mean the file '{name}.gin'?"
    raise ValueError(
        f"There is no {_SINGULAR.get(category, category[:-1])} {name!r}.{hint} "
        f"{category.capitalize()}: {', '.join(names)}."
    )


def listing(category):
    """Returns the names of the files in a folder, a line for each paper.

    Args:
        category: String, a folder of `gin_configs/`.
    """
    by_paper: dict[str, list[str]] = {}
    for name in _files(category):
        by_paper.setdefault(name.rpartition("/")[0], []).append(name)
    return "\n".join(
        textwrap.fill(
            ", ".join(names),
            78,
            initial_indent="  ",
            subsequent_indent="  ",
            break_on_hyphens=False,
        )
        for names in by_paper.values()
    )


def _files(category):
    """Returns a dictionary from name to path of the files in a folder."""
    paths = sorted((folder() / category).glob("*.gin"))
    names = {path.stem: path for path in paths}
    for path in sorted((folder() / "papers").glob(f"*/{category}/*.gin")):
        names[f"{path.parts[-3]}/{path.stem}"] = path
    return names


@contextlib.contextmanager
def parsed(files, bindings):
    """Parses gin files and bindings; clears them afterwards.

    `gin_configs/defaults.gin` is parsed first. Unlike other macros, its macros
    may remain unused, unless `bindings` set them.

    Args:
        files: List of paths.
        bindings: List of strings such as `"SPARSITY = 0.9"`.

    Raises:
        ValueError: If parsing fails, in one line with file and line number.
            Errors raised inside about a received value get the file and line
            that set the value.
    """
    gin.clear_config()
    defaults = folder() / "defaults.gin"
    files = [defaults, *files]
    try:
        _search_folder()
        with _quiet(), _without_packages():
            _parse(files, bindings)
        statements = locations.statements(files, bindings, folder())
        _check_macros(statements, defaults)
        try:
            yield
        except (ValueError, TypeError) as error:
            location = _location_of_value(str(error), statements)
            if not location:
                raise
            utils.augment_exception_message_and_reraise(
                error, f"\n  {location}"
            )
    finally:
        gin.clear_config()


def parameter(name):
    """Returns the configured value of a parameter, such as `"f.x"`."""
    return gin.query_parameter(name)


def configured(function):
    """Returns a function or class with its configured arguments."""
    return gin.get_configurable(function)


def settings(bindings):
    """Returns the macros in use, and the parameters that bindings set.

    Args:
        bindings: List of strings, those that were parsed.

    Returns:
        Dictionary from macro, or from class and parameter such as
        `"GraNet.initial_sparsity"`, to value. Values other than numbers,
        strings, booleans and `None` are converted to strings by `repr`.
    """
    plain = int | float | str | bool | None
    values = {
        name: gin.query_parameter(f"{name}/macro.value")
        for name in _bound()
        if name in _used()
    }
    for statement in locations.statements([], bindings, folder()):
        if getattr(statement, "arg_name", None):
            scoped = [statement.scope, statement.selector]
            name = f"{'/'.join(filter(None, scoped))}.{statement.arg_name}"
            short = locations.parameter(statement)
            values[short] = gin.query_parameter(name)
    return {
        name: value if isinstance(value, plain) else repr(value)
        for name, value in values.items()
    }


def has_only_one_use_of_seed():
    """Returns whether only `seed` of `train` has the value of SEED."""
    text = gin.config_str()
    seeds_training = re.search(r"\btrain\.seed = %SEED$", text, re.MULTILINE)
    return text.count("%SEED") == 1 and seeds_training is not None


def _bound():
    return re.findall(r"^([A-Za-z_]\w*) = ", gin.config_str(), re.MULTILINE)


def _used():
    return set(re.findall(r"%([A-Za-z_][\w.]*)", gin.config_str()))


@functools.cache
def _search_folder():
    """Adds `gin_configs/` to gin's search path; this cannot be undone."""
    gin.add_config_file_search_path(str(folder()))


@contextlib.contextmanager
def _quiet():
    """Silences gin's log messages about paths without an included file."""

    def is_relevant(record):
        return not str(record.msg).startswith("Path not found")

    logger = logging.getLogger()
    logger.addFilter(is_relevant)
    try:
        yield
    finally:
        logger.removeFilter(is_relevant)


@contextlib.contextmanager
def _without_packages():
    """Includes files of folders only.

    Otherwise, gin looks for `methods/rigl.gin` in a package `methods` first,
    and fails in any folder of that name on Python's path.
    """
    readers = vars(gin.config)["_FILE_READERS"]
    before = list(readers)
    readers[:] = [r for r in before if r[0] is not system_path_reader]
    try:
        yield
    finally:
        readers[:] = before


def _parse(files, bindings):
    try:
        gin.parse_config_files_and_bindings([str(f) for f in files], bindings)
    except RecursionError:
        locations.statements(files, bindings, folder())  # names the file
        raise
    except Exception as error:  # a config's code can raise anything
        message = " ".join(str(error).split()) or type(error).__name__
        missing = re.match(r"(\w+)/macro.value set to `%gin.REQUIRED`", message)
        if missing:
            name = missing[1]
            statements = locations.statements(files, bindings, folder())
            message = (
                f"{name} has no value yet. Set it: --set '{name} = ...'. "
                + locations.last_set(name, statements)
            )
        if isinstance(error, ModuleNotFoundError):
            message += ". For your own module, set PYTHONPATH to its folder"
        raise ValueError(message) from error


def _location_of_value(message, statements):
    """Finds the statement that set the received value in a message."""
    received = re.search(r"Received(?: instead)?: (\w+)=", message)
    if not received:
        return ""
    names = re.findall(r"In call to configurable '(\w+)'", message)
    # Functions that a method calls check the values of the method.
    names.append("Method")
    statement = locations.last_binding(received[1], names, statements)
    if statement is None:
        return ""
    value = statement.value
    texts = [repr(value)]
    if isinstance(value, list):
        texts.append(repr(tuple(value)))
    if isinstance(value, locations.Reference):  # objects have any text
        texts = [""]
    if any(f"{received[0]}{text}" in message for text in texts):
        return locations.format_location(statement)
    return ""  # another object has an argument of that name


def _check_macros(statements, defaults):
    """Raises for a macro that is set but not used, such as a misspelt name."""
    used = _used()
    for name in sorted(set(_bound()) - used):
        files = [
            statement.location.filename  # none in bindings
            for statement in statements
            if getattr(statement, "selector", None) == name
        ]
        if files[0] == str(defaults) and files[-1]:
            continue
        if instead := locations.set_instead_of(name, statements):
            value = instead.location.line_content.partition("=")[2].strip()
            raise ValueError(
                f"{locations.parameter(instead)} has the value of the macro "
                f"{name}. Set the macro instead: {name} = {value}. "
                + locations.format_location(instead)
            )
        close = difflib.get_close_matches(name.upper(), used)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise ValueError(
            f"The macro {name} is set but not used.{hint} "
            f"Macros in use: {', '.join(sorted(used))}. "
            + locations.last_set(name, statements)
        )
