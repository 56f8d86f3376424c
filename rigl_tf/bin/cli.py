"""Functions shared by the command-line programs."""

import os
import re
import sys
import textwrap
import traceback
import types
import warnings

from absl import app
from absl import flags
from absl import logging

from rigl_tf import callbacks
from rigl_tf.utils import text_tables

# Shared, because flag names must be unique in a process.
_FORMAT = flags.DEFINE_list(
    "format",
    [],
    "The output format. Tables: markdown, csv or latex. Models: one or more "
    "of keras, saved_model, onnx, litert and compact, separated by commas.",
)

USER_ERRORS = (ValueError, TypeError, OSError, ArithmeticError)
"""Errors that a user can correct; they are shown without a traceback."""


def formats(choices, max_formats=None):
    """Returns the list in --format, by default the first of the choices."""
    if max_formats is not None and len(_FORMAT.value) > max_formats:
        raise ValueError(
            f"--format takes one of {', '.join(choices)}. "
            f"Received: --format={','.join(_FORMAT.value)}."
        )
    for each in _FORMAT.value:
        if each not in choices:
            raise ValueError(
                f"--format must be one of {', '.join(choices)}. "
                f"Received: --format={each}."
            )
    return _FORMAT.value or list(choices)[:1]


def run(main, argument=None, resume_hint="continue it with --resume"):
    """Runs `main()` after the flags are parsed.

    Errors that a user can correct are printed in one line, and the exit code is
    2. With --help, the docstring of the module of `main` and its flags are
    printed.

    Args:
        main: Function of the argument, if any, to an exit code or `None`.
        argument: String, description of the positional argument, or `None` if
            the program has none.
        resume_hint: String, how to resume a run that was stopped.
    """
    if {"--help", "-help", "-h"} & set(sys.argv[1:]):
        print(usage(sys.modules[main.__module__]))
        return

    def guarded(argv):
        arguments = argv[1:]
        received = " ".join(arguments)
        if argument is not None and len(arguments) != 1:
            return _fail(
                f"The program needs one {argument}. "
                f"Received: {received or 'none'}."
            )
        if argument is None and arguments:
            return _fail(f"Unexpected arguments. Received: {received}.")
        try:
            return main(*arguments)
        except BrokenPipeError:
            raise
        except USER_ERRORS as error:
            if os.environ.get("RIGL_TF_TRACEBACK"):
                traceback.print_exc()
            return _fail(one_line(error))
        except SystemExit as stop:
            if stop.code == callbacks.STOPPED:
                sys.stderr.write(f"stopped and saved: {resume_hint}.\n")
            raise

    logging.set_verbosity(logging.WARNING)
    warnings.formatwarning = _warning
    try:
        app.run(guarded)
    except BrokenPipeError:  # such as `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def usage(module):
    """Returns the help text of a program: its docstring and its flags.

    Args:
        module: Module with a function `main`. The text includes the flags of
            modules of this package that it imports and that have no `main`.
    """
    helpers = [
        other
        for other in vars(module).values()
        if isinstance(other, types.ModuleType)
        and other.__name__.startswith(f"{__package__}.")
        and not hasattr(other, "main")
    ]
    by_name = {}
    for each in (module, *helpers):
        for flag in flags.FLAGS.get_flags_for_module(each):
            by_name[flag.name] = flag
        for name in getattr(each, "FLAGS_OF_TRAIN", ()):
            by_name[name] = flags.FLAGS[name]
    lines = [module.__doc__.strip(), "", "Flags:"]
    for name, flag in by_name.items():
        value = flag.default_as_str
        text = " ".join(flag.help.split()) + (
            f" (default: {value})" if value else ""
        )
        lines.append(f"  --{name}")
        lines += textwrap.wrap(
            text, 72, initial_indent=" " * 6, subsequent_indent=" " * 6
        )
    return "\n".join(lines)


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


def _fail(message):
    sys.stderr.write(f"error: {message}\n")
    return 2
