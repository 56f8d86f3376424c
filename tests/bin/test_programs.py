"""What holds for all programs."""

import importlib
import os
import pkgutil
import re
import subprocess
import sys
import tomllib

import pytest

import rigl_cli
from rigl_cli import export as export_flags
from rigl_cli import program
from rigl_cli import report as report_flags
from rigl_cli import train as train_flags
from rigl_tf import bin as programs
from rigl_tf import deploy
from rigl_tf.bin import errors
from rigl_tf.bin import train
from rigl_tf.distribute import strategies
from rigl_tf.gin_tools import config_files
from rigl_tf.utils import extras
from rigl_tf.utils import text_tables
from tests.bin import command_line

MODULES = {
    found.name: importlib.import_module(f"rigl_cli.{found.name}")
    for found in pkgutil.iter_modules(rigl_cli.__path__)
}
PROGRAMS = [name for name, module in MODULES.items() if hasattr(module, "run")]
PROGRAMS.remove("program")


ROOT = config_files.folder().parent


def start(name, *arguments, **environment):
    """Starts a program as its script does."""
    code = f"from rigl_cli.{name} import run; run()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
    )


def test_programs_are_installed():
    path = ROOT / "pyproject.toml"
    scripts = tomllib.loads(path.read_text())["project"]["scripts"]
    assert len(PROGRAMS) >= 8
    assert scripts == {
        f"rigl-{name}": f"rigl_cli.{name}:run" for name in PROGRAMS
    }
    for name in PROGRAMS:
        module = importlib.import_module(f"{programs.__name__}.{name}")
        assert callable(module.main)


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_has_an_example_and_every_flag(name, capsys):
    parser = MODULES[name].parser()

    with pytest.raises(SystemExit, match="^0$"):
        parser.parse_args(["--help"])

    out = capsys.readouterr().out
    assert out.startswith(f"usage: rigl-{name}")
    assert f"\nrigl-{name}" in out or f"\n  rigl-{name}" in out
    known = {*parser.names, "version"}
    for given in re.findall(rf"rigl-{name} (.*)", MODULES[name].__doc__):
        assert set(re.findall(r"--(\w+)", given)) <= known, given
    assert all(f"--{flag}" in out for flag in known)
    assert all(len(line) <= 80 for line in out.splitlines())


def test_choices_of_flags_are_the_librarys():
    assert set(export_flags.FORMATS) == set(deploy.FORMATS)
    assert set(report_flags.FORMATS) == set(text_tables.FORMATS)
    assert set(train_flags.STRATEGIES) == set(strategies.STRATEGIES)
    assert set(train_flags.PROGRESS) == set(train._VERBOSE)


def test_help_does_not_import_tensorflow():
    code = (
        "import sys; from rigl_cli import train; train.parser().format_help();"
        "print(sorted({'tensorflow', 'keras', 'rigl_tf'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "[]\n", done.stderr


def test_tensorflow_starts_quietly():
    done = start("train", "--list", TF_CPP_MIN_LOG_LEVEL="3")

    assert (done.returncode, done.stderr) == (0, "")
    tasks, methods = done.stdout.split("\n\n")[:2]
    assert tasks.startswith("tasks:\n") and "digits_mlp" in tasks
    assert methods.startswith("methods:\n") and "rigl_reproduction" in methods


def test_messages_are_shown_if_the_start_fails(capfd, monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")

    with program.quiet_start():
        os.write(2, b"noise\n")
    with pytest.raises(ImportError):
        with program.quiet_start():
            os.write(2, b"a reason\n")
            raise ImportError

    assert capfd.readouterr().err == "a reason\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--jobs=0"], "flag --jobs=0: 0 is not a positive integer"),
        (["--index=x"], "flag --index=x: invalid literal"),
        (["--seed=1"], "Unknown command line flag 'seed'"),
        (["digits"], "Pass no argument. Received: digits"),
    ],
)
def test_a_mistake_in_a_flag_is_one_line(arguments, message, capsys):
    with pytest.raises(SystemExit, match="^2$"):
        MODULES["sweep"].parser().parse_args(arguments)

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {message}")
    assert line.endswith("See rigl-sweep --help.")


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("claims", ["--report"], "Pass a directory for the runs"),
        (
            "claims",
            ["--claim=1", "--report", "--output_dir=nowhere"],
            "directory of the runs.*--output_dir=nowhere, which does not exist",
        ),
        ("prepare", ["--archive=a.tar"], "--archive needs --dataset, one of"),
        (
            "report",
            ["--paper=rigl_reproduction", "--table=2", "--masks=x"],
            "because Table 2 has no figure of masks. Received: --masks=x",
        ),
    ],
)
def test_a_flag_without_effect_is_refused(name, arguments, message):
    main = importlib.import_module(f"{programs.__name__}.{name}").main

    with pytest.raises(ValueError, match=message):
        main(command_line.flags(name, *arguments))


def test_an_unknown_export_format_is_refused(capsys):
    with pytest.raises(SystemExit, match="^2$"):
        MODULES["export"].parser().parse_args(["run", "--format=keras,onyx"])

    err = capsys.readouterr().err
    assert "onyx']: must be one or more of keras, " in err


def test_the_version_names_what_runs(capsys):
    with pytest.raises(SystemExit, match="^0$"):
        MODULES["train"].parser().parse_args(["--version"])

    out = capsys.readouterr().out
    for name in ("rigl-tf", "keras", "tensorflow", "Python"):
        assert re.search(rf"\b{name} \d", out)


USERS = """
def grow(view):
    return view.weight + "1"

def call(function):
    function()
"""


def caught(function, *arguments):
    try:
        function(*arguments)
    except Exception as error:
        return errors.describe(error)


def test_an_error_that_is_not_the_librarys_has_a_file_and_a_line(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(USERS)
    users = {}
    exec(compile(USERS, path, "exec"), users)

    class View:
        weight = 1

    message = caught(users["grow"], View())
    assert message.startswith("TypeError: unsupported operand")
    assert f"{path}:3, in grow; " in message
    own = caught(users["call"], lambda: config_files.find("tasks", "nope"))
    assert own.startswith("There is no task 'nope'. ")
    assert str(path) not in own
    missing = caught(users["call"], lambda: open(tmp_path / "none"))
    assert str(path) not in missing


@pytest.fixture
def run_file(tmp_path, monkeypatch):
    """Returns a function that runs a program whose `main` is in a file."""

    def run(source):
        path = tmp_path / "mine.py"
        path.write_text(source)
        code = compile(source, path, "exec")
        monkeypatch.setattr(train, "main", lambda _: exec(code))
        return errors.run("train", None, "")

    return run


@pytest.mark.parametrize("source", ["{}.weights", "{}['weights']"])
def test_a_bug_in_a_file_of_a_user_is_one_line(run_file, capsys, source):
    assert run_file(source) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert "mine.py:1, in <module>; RIGL_TF_TRACEBACK=1 prints" in line


def test_a_ctrl_c_during_the_start_is_one_line(monkeypatch, capfd):
    def stopped(name):
        os.write(2, b"noise\n")
        raise KeyboardInterrupt

    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    monkeypatch.setattr(program.importlib, "import_module", stopped)
    monkeypatch.setattr(sys, "argv", ["rigl-train", "--list"])

    with pytest.raises(SystemExit, match="^130$"):
        program.run(train_flags.parser())

    assert capfd.readouterr().err == "stopped.\n"


def test_a_ctrl_c_while_nothing_is_trained_is_one_line(run_file, capsys):
    assert run_file("raise KeyboardInterrupt") == 130

    assert capsys.readouterr().err == "stopped.\n"


def test_a_bug_of_the_library_has_a_traceback(run_file, monkeypatch, tmp_path):
    monkeypatch.setattr(errors, "_LIBRARY", tmp_path)

    with pytest.raises(AttributeError, match="weights"):
        run_file("{}.weights")


def test_a_missing_package_is_one_line_that_names_its_extra():
    def load():
        with extras.needed("studies"):
            import no_such_package  # noqa: F401 # type: ignore

    assert caught(load) == (
        "no_such_package is not installed. Install the extra 'studies': "
        "pip install 'rigl-tf[studies]'."
    )
