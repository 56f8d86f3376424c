"""Parses the flags of a program, imports its module quietly, and runs it."""

import contextlib
import importlib
import importlib.metadata
import os
import platform
import sys
import tempfile
import textwrap
import types
from typing import Any
from typing import NoReturn

from absl import flags

_PACKAGES = ("rigl-tf", "keras", "tensorflow")


COUNT = "a whole number of at least 1"
"""The type of a flag with a positive integer."""


class Parser:
    """The flags of a program; a mistake in them is reported in one line.

    Args:
        name: String, the name of the program without `rigl-`.
        text: String, the help of the program: its purpose and examples.
        argument: String, what the positional argument is, or `None` if the
            program has none.
    """

    def __init__(self, name, text, argument=None):
        self.name, self.prog = name, f"rigl-{name}"
        self._text, self._argument = text.strip(), argument
        self._helps = {}
        self._values = flags.FlagValues()
        self._values.set_gnu_getopt(True)  # flags may follow the argument

    @property
    def names(self):
        """List of the names of all flags, without aliases."""
        return list(self._helps)

    def add(
        self,
        name,
        *aliases,
        help,
        type: Any = str,
        default: Any = None,
        choices=(),
    ):
        """Adds a flag.

        Args:
            name: String such as `"seed"`.
            *aliases: Other names of the flag.
            help: String, one or two sentences.
            type: `str`, `int`, `COUNT`, `bool` for a switch, `tuple` for a
                flag that may be repeated, or `list` for values that are
                separated by commas.
            default: The value without the flag; for a switch, `False`.
            choices: Sequence of the allowed values, if not all are.
        """
        if default:
            shown = ",".join(default) if type is list else default
            help = f"{help} (default: {shown})"
        self._helps[name] = help
        if type is bool:
            flags.DEFINE_bool(name, False, help, flag_values=self._values)
        elif type is tuple:
            flags.DEFINE_multi_string(name, [], help, flag_values=self._values)
        elif type is list:
            self._add_list(name, help, default, choices)
        elif choices:
            flags.DEFINE_enum(
                name, default, choices, help, flag_values=self._values
            )
        elif type is str:
            flags.DEFINE_string(name, default, help, flag_values=self._values)
        else:
            least = 1 if type == COUNT else None
            flags.DEFINE_integer(
                name, default, help, least, flag_values=self._values
            )
        for alias in aliases:
            flags.DEFINE_alias(alias, name, flag_values=self._values)

    def _add_list(self, name, help, default, choices):
        flags.DEFINE_list(name, default or [], help, flag_values=self._values)
        if choices:
            flags.register_validator(
                name,
                lambda values: set(values) <= set(choices),
                f"must be one or more of {', '.join(choices)}",
                flag_values=self._values,
            )

    def parse_args(self, arguments=None):
        """Returns the values of all flags as attributes.

        Args:
            arguments: List of strings; by default, those of the program.

        Raises:
            SystemExit: After a mistake, `--help` or `--version`.
        """
        arguments = sys.argv[1:] if arguments is None else arguments
        if {"--help", "-help", "-h"} & set(arguments):
            print(self.format_help())
            sys.exit(0)
        if "--version" in arguments:
            print(version())
            sys.exit(0)
        try:
            _, *others = self._values([self.prog, *arguments])
        except flags.Error as error:
            self.error(str(error))
        values = {name: self._values[name].value for name in self._helps}
        if len(others) != bool(self._argument):
            wanted = self._argument or "no argument"
            received = " ".join(others) or "none"
            self.error(f"Pass {wanted}. Received: {received}")
        if self._argument:
            values["argument"] = others[0]
        return types.SimpleNamespace(**values)

    def format_help(self):
        """Returns the help of the program and of its flags."""
        usage = [self.prog, self._argument and "ARGUMENT", "[flags]"]
        if self._argument:
            usage[1] = self._argument.split()[-1].upper()
        lines = [f"usage: {' '.join(filter(None, usage))}", "", self._text, ""]
        helps = self._helps | {
            "version": "Print the versions of the library and its packages."
        }
        for name, text in helps.items():
            lines.append(f"  --{name}")
            lines += textwrap.wrap(
                text, 72, initial_indent=" " * 6, subsequent_indent=" " * 6
            )
        return "\n".join(lines)

    def error(self, message) -> NoReturn:
        """Prints a mistake in one line and exits with code 2."""
        message = " ".join(message.split()).rstrip(" .?")
        sys.stderr.write(f"error: {message}. See {self.prog} --help.\n")
        sys.exit(2)


def version():
    """Returns the versions of the library, Keras, TensorFlow and Python."""
    found = [("Python", platform.python_version())]
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found.append((name, importlib.metadata.version(name)))
    return ", ".join(" ".join(pair) for pair in found[1:] + found[:1])


def run(parser, resume_hint="continue it with --resume"):
    """Parses the flags, then runs the program in `rigl_tf/bin`; exits.

    Args:
        parser: `Parser`.
        resume_hint: String, how to resume a run that was stopped.
    """
    values = parser.parse_args()
    errors: Any = None
    try:
        with quiet_start():
            errors = importlib.import_module("rigl_tf.bin.errors")
    except ModuleNotFoundError as error:
        parser.error(f"{error.name} is not installed: pip install rigl-tf")
    except KeyboardInterrupt:  # while TensorFlow is imported
        sys.stderr.write("stopped.\n")
        sys.exit(130)
    sys.exit(errors.run(parser.name, values, resume_hint))


def call(module, function, *arguments):
    """Calls a function of a module that imports TensorFlow, in a new process.

    Args:
        module: String, name of the module.
        function: String, name of the function.
        *arguments: Arguments that need no TensorFlow.
    """
    with quiet_start():
        imported = importlib.import_module(module)
    return getattr(imported, function)(*arguments)


@contextlib.contextmanager
def quiet_start():
    """Hides messages of TensorFlow that are no errors.

    TensorFlow's C++ code writes to stderr while it is imported, whatever the
    level. If an import fails, all of it is printed. With TF_CPP_MIN_LOG_LEVEL=0
    in the environment, nothing is hidden.
    """
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") != "3":
        yield
        return
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as hidden:
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except Exception:
            hidden.seek(0)
            os.write(stderr, hidden.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
