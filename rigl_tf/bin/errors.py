"""Runs the `main` of a program; explains errors that a user can correct."""

import importlib
import os
import pathlib
import re
import sys
import sysconfig
import traceback
import warnings

import rigl_tf
from rigl_tf import callbacks
from rigl_tf.utils import extras
from rigl_tf.utils import text_tables

USER_ERRORS = (
    ValueError,
    TypeError,
    OSError,
    ArithmeticError,
    extras.MissingExtra,
)
"""Errors that a user can correct; they are shown without a traceback."""

_LIBRARY = pathlib.Path(rigl_tf.__file__).parent
_PYTHON = [
    pathlib.Path(sysconfig.get_path(name))
    for name in ("stdlib", "purelib", "platlib")
]


def run(name, flags, resume_hint):
    """Runs a program; returns its exit code.

    Errors that a user can correct, and errors in files of the user, are printed
    in one line, and the exit code is 2. With RIGL_TF_TRACEBACK in the
    environment, the traceback is printed, too.

    Args:
        name: String, name of a module of `rigl_tf/bin`.
        flags: Parsed flags.
        resume_hint: String, how to resume a run that was stopped.
    """
    warnings.formatwarning = _warning
    try:
        main = importlib.import_module(f"{__package__}.{name}").main
        return main(flags)
    except BrokenPipeError:  # such as `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if not isinstance(error, USER_ERRORS) and not _is_of_user(error):
            raise
        if os.environ.get("RIGL_TF_TRACEBACK"):
            traceback.print_exc()
        sys.stderr.write(f"error: {describe(error)}\n")
        return 2
    except KeyboardInterrupt:  # while no run is trained
        sys.stderr.write("stopped.\n")
        return 130
    except SystemExit as stop:
        if stop.code == callbacks.STOPPED:
            sys.stderr.write(f"stopped and saved: {resume_hint}.\n")
        raise


def describe(error):
    """Returns an error in one line.

    The library's own errors name the argument. For other errors, such as a
    mistake in a user's algorithm, the line ends with the type of the error and
    the file and line to look at.
    """
    message = one_line(error)
    location = _location(error)
    if isinstance(error, USER_ERRORS) and not location:
        return message
    message = f"{type(error).__name__}: {message}"
    if location:
        message += f" [{location}; RIGL_TF_TRACEBACK=1 prints the traceback]"
    return message


def _location(error):
    """Returns `"file:line, in function"`; empty for errors of the library.

    The location is the innermost call that is not in an installed package,
    except the library's own code.
    """
    frames = traceback.extract_tb(error.__traceback__)
    if getattr(error, "filename", None) is not None or not frames:
        return ""  # the message of an `OSError` names the file
    if _LIBRARY in pathlib.Path(frames[-1].filename).parents:
        return ""
    frame = _innermost(frames)
    return frame and text_tables.shown(
        f"{frame.filename}:{frame.lineno}, in {frame.name}"
    )


def _is_of_user(error):
    """Returns whether the innermost call is in a file of the user."""
    frame = _innermost(traceback.extract_tb(error.__traceback__))
    return frame and _LIBRARY not in pathlib.Path(frame.filename).parents


def _innermost(frames):
    """Returns the last frame that is not in an installed package, or `""`."""
    for frame in reversed(frames):
        path = pathlib.Path(frame.filename)
        if path.is_file() and (
            _LIBRARY in path.parents
            or not any(folder in path.parents for folder in _PYTHON)
        ):
            return frame
    return ""


def one_line(error):
    """Returns the message and notes of an error in one line.

    Objects that gin prints, such as `(<function train at 0x7f>)`, are removed.
    The message may quote untrusted files, so control characters are escaped.
    """
    parts = [str(error), *getattr(error, "__notes__", ())]
    message = " ".join(" ".join(parts).split())
    gin_object = r" \(<(?:class '[^<>]*'|[^<>]* at 0x[^<>]*)>\)"
    return text_tables.shown(re.sub(gin_object, "", message))


def _warning(message, *where):
    """Formats a warning like Python, with control characters escaped."""
    lines = _as_python_does(message, *where).splitlines()
    return "".join(f"{text_tables.shown(line)}\n" for line in lines)


_as_python_does = warnings.formatwarning
