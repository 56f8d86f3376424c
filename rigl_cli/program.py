"""Parses the flags of a program, imports its module quietly, and runs it."""

import argparse
import contextlib
import importlib
import importlib.metadata
import os
import platform
import sys
import tempfile

_PACKAGES = ("rigl-tf", "keras", "tensorflow")


class Parser(argparse.ArgumentParser):
    """A parser of flags that reports a mistake in one line.

    Args:
        name: String, the name of the program without `rigl-`.
        text: String, the help of the program: its purpose and examples.
    """

    def __init__(self, name, text):
        super().__init__(
            prog=f"rigl-{name}",
            description=text.strip(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.name = name
        self.add_argument(
            "--version",
            action=_Version,
            nargs=0,
            help="Print the versions of the library and its packages.",
        )

    def add(self, *names, help, default=None, **options):
        """Adds a flag; its help ends with its default value.

        Args:
            *names: Strings such as `"--seed"`.
            help: String, one or two sentences.
            default: The value without the flag.
            **options: As for `argparse.ArgumentParser.add_argument`.
        """
        if default and options.get("action") != "append":
            help = f"{help} (default: {default})"
        if default is not None:
            options["default"] = default
        self.add_argument(*names, help=help, **options)

    def format_usage(self):
        """Returns one line; the flags follow in the help."""
        arguments = [
            each.metavar for each in self._actions if not each.option_strings
        ]
        return f"usage: {' '.join([self.prog, *arguments, '[flags]'])}\n"

    def format_help(self):
        """Returns the usage, the help of the program and of its flags."""
        whole = super().format_help()
        return self.format_usage() + whole[whole.index("\n\n") + 1 :]

    def error(self, message):
        """Prints a mistake in one line and exits with code 2."""
        message = " ".join(message.removeprefix("argument ").split())
        self.exit(2, f"error: {message}. See {self.prog} --help.\n")


class _Version(argparse.Action):
    def __call__(self, parser, *_):
        print(version())
        parser.exit()


def version():
    """Returns the versions of the library, Keras, TensorFlow and Python."""
    found = [("Python", platform.python_version())]
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found.append((name, importlib.metadata.version(name)))
    return ", ".join(" ".join(pair) for pair in found[1:] + found[:1])


def positive(text):
    """Returns a flag's value as an integer of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f"must be a whole number of at least 1. Received: {text}"
        )
    return int(text)


def some_of(choices):
    """Returns a function that splits a flag's value at commas and checks it.

    Args:
        choices: Sequence of strings, the allowed values.
    """

    def split(text):
        values = text.split(",")
        for value in values:
            if value not in choices:
                raise argparse.ArgumentTypeError(
                    f"must be one or more of {', '.join(choices)}, separated "
                    f"by commas. Received: {value}"
                )
        return values

    return split


def run(parser, resume_hint="continue it with --resume"):
    """Parses the flags, then runs the program in `rigl_tf.bin`; exits.

    Args:
        parser: `Parser`.
        resume_hint: String, how to resume a run that was stopped.
    """
    flags = parser.parse_args()
    try:
        with quiet_start():
            errors = importlib.import_module("rigl_tf.bin.errors")
    except ModuleNotFoundError as error:
        parser.exit(
            2, f"error: {error.name} is not installed: pip install rigl-tf.\n"
        )
    sys.exit(errors.run(parser.name, flags, resume_hint))


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
        except BaseException:
            hidden.seek(0)
            os.write(stderr, hidden.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
