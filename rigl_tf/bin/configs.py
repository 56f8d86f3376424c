"""Finds gin files, parses them and explains what is wrong with them."""

import contextlib
import difflib
import functools
import logging
import pathlib
import re

import gin

import rigl_tf

_PACKAGE = pathlib.Path(rigl_tf.__file__).parent


def folder():
    """The project's `gin_configs/`: of a checkout or of an installed wheel."""
    for place in (_PACKAGE.parent / "gin_configs", _PACKAGE / "gin_configs"):
        if place.is_dir():
            return place
    raise FileNotFoundError(
        f"gin_configs/ is neither beside nor inside {_PACKAGE}. Install "
        "rigl_tf again."
    )


def find(kind, name):
    """The gin file of a task, method or sweep.

    Args:
        kind: String, a folder of `gin_configs/`.
        name: String, a file's name without `.gin`.

    Raises:
        ValueError: If there is none; the error lists those that there are.
    """
    path = folder() / kind / f"{name}.gin"
    if path.is_file():
        return path
    names = sorted(p.stem for p in path.parent.glob("*.gin"))
    close = difflib.get_close_matches(name, names)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ValueError(
        f"There is no {kind[:-1]} {name!r}.{hint} "
        f"{kind.capitalize()}: {', '.join(names)}."
    )


@contextlib.contextmanager
def parsed(files, bindings):
    """Parses gin files and bindings; forgets them afterwards.

    Args:
        files: List of paths.
        bindings: List of strings such as `"SPARSITY = 0.9"`.

    Raises:
        ValueError: In one line, with file and line number if gin knows them.
    """
    gin.clear_config()
    try:
        _search_folder()
        with _quiet():
            _parse(files, bindings)
        _check_macros()
        yield
    finally:
        gin.clear_config()


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
        raise ValueError(
            f"The gin files include one another in a circle: {files}."
        ) from None
    except Exception as error:  # gin raises whatever a config's code raises
        message = " ".join(str(error).split())
        raise ValueError(message or type(error).__name__) from error


def _check_macros():
    """Raises for a macro that is bound but used nowhere: it is misspelt."""
    text = gin.config_str()
    used = set(re.findall(r"%([A-Za-z_][\w.]*)", text))
    bound = set(re.findall(r"^([A-Z_][A-Z0-9_]*) = ", text, re.MULTILINE))
    for name in sorted(bound - used):
        close = difflib.get_close_matches(name, used)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise ValueError(
            f"The macro {name} is set and used nowhere.{hint} "
            f"Macros in use: {', '.join(sorted(used))}."
        )
