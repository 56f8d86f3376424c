"""What the command-line programs share."""

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
from rigl_tf import tables

# Shared, because a process can have one flag of a name only.
_FORMAT = flags.DEFINE_list(
    "format",
    [],
    "How to write: of tables, markdown, csv or latex; of models, one or more "
    "of keras, saved_model, onnx, litert and compact, with commas.",
)

ORDINARY = (ValueError, TypeError, OSError, ArithmeticError)
"""Errors that a user can mend: their message is enough."""


def formats(choices, most=None):
    """What --format says, as a list; the first of the choices by default."""
    if most is not None and len(_FORMAT.value) > most:
        raise ValueError(
            f"--format takes one of {', '.join(choices)}. "
            f"Received: --format={','.join(_FORMAT.value)}."
        )
    for each in _FORMAT.value:
        if each not in choices:
            raise ValueError(
                f"--format must be of {', '.join(choices)}. "
                f"Received: --format={each}."
            )
    return _FORMAT.value or list(choices)[:1]


def run(main, argument=None, goes_on="--resume goes on"):
    """Runs `main()` after the flags are parsed.

    If there is an `argument`, a string that names it, `main` receives what
    stands beside the flags. `goes_on` says how what was stopped goes on.

    Errors that a user can mend end in one line and exit code 2. With --help,
    it prints what the module of `main` says of itself, and its flags.
    """
    if {"--help", "-help", "-h"} & set(sys.argv[1:]):
        print(usage(sys.modules[main.__module__]))
        return

    def guarded(argv):
        given = argv[1:]
        if argument is not None and len(given) != 1:
            return _fail(
                f"Give one {argument}. Received: {' '.join(given) or 'none'}."
            )
        if argument is None and given:
            return _fail(f"Unexpected arguments: {' '.join(given)}.")
        try:
            return main(*given)
        except BrokenPipeError:
            raise
        except ORDINARY as error:
            if os.environ.get("RIGL_TF_TRACEBACK"):
                traceback.print_exc()
            return _fail(one_line(error))
        except SystemExit as stop:
            if stop.code == callbacks.STOPPED:
                sys.stderr.write(f"stopped, and saved: {goes_on}.\n")
            raise

    logging.set_verbosity(logging.WARNING)
    warnings.formatwarning = _warning
    try:
        app.run(guarded)
    except BrokenPipeError:  # such as `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def usage(module):
    """What a program says of itself, and its flags in words.

    Args:
        module: A module that has a `main`; the flags of modules of
            `rigl_tf.bin` that it imports and that have none are its own.
    """
    helpers = [
        other
        for other in vars(module).values()
        if isinstance(other, types.ModuleType)
        and other.__name__.startswith(f"{__package__}.")
        and not hasattr(other, "main")
    ]
    found = {}
    for each in (module, *helpers):
        for flag in flags.FLAGS.get_flags_for_module(each):
            found[flag.name] = flag
        for name in getattr(each, "FLAGS_OF_TRAIN", ()):
            found[name] = flags.FLAGS[name]
    lines = [module.__doc__.strip(), "", "Flags:"]
    for name, flag in found.items():
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
    """An error's message and notes, without line breaks and gin's addresses.

    Files of others may be quoted in it: signs that steer a terminal are shown.
    """
    parts = [str(error), *getattr(error, "__notes__", ())]
    message = " ".join(" ".join(parts).split())
    return tables.shown(re.sub(r" \(<[^<>]* at 0x[^<>]*>\)", "", message))


def _warning(message, *where):
    """A warning as Python prints it, whatever names of files are in it."""
    lines = _as_python_does(message, *where).splitlines()
    return "".join(f"{tables.shown(line)}\n" for line in lines)


_as_python_does = warnings.formatwarning


def _fail(message):
    sys.stderr.write(f"error: {message}\n")
    return 2
