"""Finds gin files, parses them and explains what is wrong with them.

A gin file is code: what it imports and calls runs.
"""

import contextlib
import difflib
import functools
import logging
import pathlib
import re

import gin
from gin import utils

from rigl_tf.gin_tools import locations

_PACKAGE = pathlib.Path(__file__).parent.parent


def folder():
    """The project's `gin_configs/`: of a checkout or of an installed wheel."""
    for place in (_PACKAGE.parent / "gin_configs", _PACKAGE / "gin_configs"):
        if place.is_dir():
            return place
    raise FileNotFoundError(
        f"gin_configs/ is neither beside nor inside {_PACKAGE}. Install "
        "rigl_tf again."
    )


_SINGULAR = {"studies": "study"}  # of others, without the s


def find(kind, name):
    """The gin file of a task, method or sweep.

    Args:
        kind: String, a folder of `gin_configs/`.
        name: String, a file's name without `.gin`, such as `rigl`, or for
            those of a paper `ggr/rigl`; or the path of a file anywhere, with
            `.gin`.

    Raises:
        ValueError: If there is none; the error lists those that there are.
    """
    if name.endswith(".gin"):
        if not pathlib.Path(name).is_file():
            raise ValueError(f"There is no file {name}.")
        return pathlib.Path(name)
    paths = sorted((folder() / kind).glob("*.gin"))
    names = {path.stem: path for path in paths}
    for path in sorted((folder() / "papers").glob(f"*/{kind}/*.gin")):
        names[f"{path.parts[-3]}/{path.stem}"] = path
    if name in names:
        return names[name]
    close = difflib.get_close_matches(name, names)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ValueError(
        f"There is no {_SINGULAR.get(kind, kind[:-1])} {name!r}.{hint} "
        f"{kind.capitalize()}: {', '.join(names)}."
    )


@contextlib.contextmanager
def parsed(files, bindings):
    """Parses gin files and bindings; forgets them afterwards.

    Args:
        files: List of paths.
        bindings: List of strings such as `"SPARSITY = 0.9"`.

    Raises:
        ValueError: In one line, with file and line number. Errors about a
            value that is received inside get those of where it is set.
    """
    gin.clear_config()
    try:
        _search_folder()
        with _quiet():
            _parse(files, bindings)
        found = locations.statements(files, bindings, folder())
        _check_macros(found)
        try:
            yield
        except (ValueError, TypeError) as error:
            place = _place_of(str(error), found)
            if not place:
                raise
            utils.augment_exception_message_and_reraise(error, f"\n  {place}")
    finally:
        gin.clear_config()


def parameter(name):
    """The value that the files give a parameter, such as `"f.x"` of `f(x)`."""
    return gin.query_parameter(name)


def configured(function):
    """A function or class with the arguments that the files give it."""
    return gin.get_configurable(function)


def macros():
    """What the files and bindings that are parsed set by name.

    Returns:
        Dictionary from macro to value; what is no number, string, boolean or
        `None` is put into words.
    """
    plain = int | float | str | bool | None
    values = {
        name: gin.query_parameter(f"{name}/macro.value") for name in _bound()
    }
    return {
        name: value if isinstance(value, plain) else repr(value)
        for name, value in values.items()
    }


def _bound():
    return re.findall(r"^([A-Za-z_]\w*) = ", gin.config_str(), re.MULTILINE)


@functools.cache
def _search_folder():
    """Lets includes start from `gin_configs/`. Gin has no way back."""
    gin.add_config_file_search_path(str(folder()))


@contextlib.contextmanager
def _quiet():
    """Keeps gin from reporting each place where an included file is not."""

    def wanted(record):
        return not str(record.msg).startswith("Path not found")

    logger = logging.getLogger()
    logger.addFilter(wanted)
    try:
        yield
    finally:
        logger.removeFilter(wanted)


def _parse(files, bindings):
    try:
        gin.parse_config_files_and_bindings([str(f) for f in files], bindings)
    except RecursionError:
        locations.statements(files, bindings, folder())  # says where
        raise
    except Exception as error:  # gin raises whatever a config's code raises
        message = " ".join(str(error).split()) or type(error).__name__
        missing = re.match(r"(\w+)/macro.value set to `%gin.REQUIRED`", message)
        if missing:
            name = missing[1]
            found = locations.statements(files, bindings, folder())
            message = (
                f"{name} has no value yet. Give it one: --set '{name} = ...'. "
                + locations.of(name, (), found)
            )
        raise ValueError(message) from error


def _place_of(message, found):
    """Where the value is set that a message says was received."""
    received = re.search(r"Received(?: instead)?: (\w+)=", message)
    if not received:
        return ""
    names = re.findall(r"In call to configurable '(\w+)'", message)
    # What a method binds, the functions called with it check.
    return locations.of(received[1], [*names, "Method"], found)


def _check_macros(found):
    """Raises for a macro that is bound but used nowhere: it is misspelt."""
    used = set(re.findall(r"%([A-Za-z_][\w.]*)", gin.config_str()))
    for name in sorted(set(_bound()) - used):
        close = difflib.get_close_matches(name.upper(), used)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise ValueError(
            f"The macro {name} is set and used nowhere.{hint} "
            f"Macros in use: {', '.join(sorted(used))}. "
            + locations.of(name, (), found)
        )
