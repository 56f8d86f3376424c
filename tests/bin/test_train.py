"""Tests of the program that trains one run, as users start it."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

import rigl_tf
from rigl_tf.bin import errors
from rigl_tf.bin import train
from tests.bin import command_line

ROOT = pathlib.Path(rigl_tf.__file__).parent.parent
RUN = ["--task=digits_mlp", "--method=rigl", "--progress=none"]
SETTINGS = ["--set=SPARSITY = 0.9", "--set=INTERVAL = 10"]
SETTINGS += ["--gin_param=EPOCHS = 1", "--seed=5"]


def start(directory, *arguments):
    """Starts the program in a directory that is not the project's."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-m", "rigl_tf.bin.train", *arguments],
        cwd=directory,
        env=os.environ | {"PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def lines_of(stderr):
    """The lines of stderr that are the program's, not TensorFlow's."""
    tensorflow = re.compile(
        r"[IWE]\d{4} |WARNING: All log messages before absl"
    )
    return [line for line in stderr.splitlines() if not tensorflow.match(line)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The directory and the output of a run of one epoch."""
    directory = tmp_path_factory.mktemp("elsewhere")
    process = start(directory, *RUN, *SETTINGS, "--output_dir=run")
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    return directory, stdout, stderr


def test_a_run_leaves_what_it_promises(trained):
    run = trained[0] / "run"

    names = {str(p.relative_to(run)) for p in run.rglob("*") if p.is_file()}

    assert names >= {
        "record.json",
        "config.gin",
        "model.keras",
        "figures/accuracy.png",
        "figures/densities.png",
        "figures/mask.png",
    }


def test_a_run_records_what_it_was_told(trained):
    record = json.loads((trained[0] / "run" / "record.json").read_text())
    config = (trained[0] / "run" / "config.gin").read_text()

    assert (record["task"], record["method"]) == ("digits_mlp", "rigl")
    assert (record["sparsity"], record["seed"]) == (0.9, 5)
    assert record["steps"] == 40  # 1,259 examples in batches of 32
    assert "EPOCHS = 1" in config
    assert "algorithm = @algorithms.RigL()" in config


def test_a_run_prints_its_row_and_no_complaints(trained):
    _, stdout, stderr = trained

    row, text = stdout.split("\n\n")
    assert "| digits_mlp | rigl   |" in row
    assert text.startswith("The run is in run. Next:\n  rigl-report --runs=run")
    assert lines_of(stderr) == []
    assert "Path not found" not in stderr


@pytest.mark.slow
def test_a_second_start_is_refused_unless_it_resumes(trained):
    directory, stdout, _ = trained
    before = (directory / "run" / "record.json").read_bytes()
    arguments = [*RUN, *SETTINGS, "--output_dir=run"]

    # Side by side: most of the time goes into imports.
    refused = start(directory, *arguments)
    resumed = start(directory, *arguments, "--resume")
    _, complaint = refused.communicate(timeout=120)
    row, _ = resumed.communicate(timeout=120)
    other = start(directory, *arguments, "--resume", "--seed=6")
    _, other_complaint = other.communicate(timeout=120)

    assert (refused.returncode, other.returncode) == (2, 2)
    assert lines_of(complaint) == [complaint.splitlines()[-1]]
    assert complaint.splitlines()[-1].startswith(
        "error: run already contains a run"
    )
    (line,) = lines_of(other_complaint)
    assert "another configuration: SEED = 5. Received: SEED = 6" in line
    assert (resumed.returncode, row) == (0, stdout)
    assert (directory / "run" / "record.json").read_bytes() == before


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--method=sparse"],
            r"no method 'sparse'\..* Methods: .*dense, .*rigl, ",
        ),
        (["--method=rigl", "--set=EPOCS = 3"], r"EPOCS.* In bindings string"),
    ],
    ids=["unknown method", "misspelt macro"],
)
def test_a_mistake_ends_in_one_line(tmp_path, arguments, message):
    process = start(
        tmp_path,
        "--task=digits_mlp",
        *arguments,
        "--gin_param=SPARSITY = 0.9",
        "--output_dir=run",
    )

    stdout, stderr = process.communicate(timeout=120)

    assert process.returncode == 2
    assert stdout == ""
    (line,) = lines_of(stderr)
    assert re.match(f"error: .*{message}", line)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task=digits_mlp"], "Pass a directory for the run"),
        (["--output_dir=run"], "Pass a task and a method"),
        (["--output_dir=run", "--method=set"], "such as --task"),
        (["--output_dir=run", "--task=nope"], "There is no task 'nope'"),
        (["--output_dir=run", "--task=ggr/x"], "There is no task 'ggr/x'"),
        (["--output_dir=run", "--smoke"], "Remove --output_dir"),
    ],
)
def test_missing_arguments_are_asked_for(arguments, message):
    with pytest.raises(ValueError, match=message):
        train.main(command_line.flags("train", *arguments))


@pytest.mark.parametrize(
    ("arguments", "verbose"), [([], 1), (["--progress=line"], 2)]
)
def test_flags_reach_the_run(monkeypatch, arguments, verbose):
    runs = []

    def run_one(*args, **kwargs):
        runs.append((args, kwargs))
        raise InterruptedError

    monkeypatch.setattr(train, "run_one", run_one)
    flags = command_line.flags(
        "train",
        "--gin_file=a.gin",
        "--method=set",
        "--set=A = 1",
        "--gin_bindings=B = 2",
        "--gin_param=C = 3",
        "--seed=4",
        "--output_dir=run",
        *arguments,
    )

    with pytest.raises(InterruptedError):
        train.main(flags)

    ((files, bindings, *rest), options) = runs[0]
    assert [pathlib.Path(path).name for path in files] == ["a.gin", "set.gin"]
    assert bindings == ["A = 1", "B = 2", "C = 3", "SEED = 4"]
    assert rest == ["run"]
    assert options == {
        "strategy": None,
        "resume": False,
        "verbose": verbose,
        "checkpoint_every": None,
        "smoke": False,
    }


@pytest.mark.slow
def test_trying_leaves_nothing_behind(capsys):
    task = "rigl_reproduction/cifar10"
    given = f"--task={task}", "--method=dense", "--smoke", "--progress=none"
    places = []
    run_one = train.run_one

    def remember(*args, **kwargs):
        places.append(pathlib.Path(args[2]))
        return run_one(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "run_one", remember)
        train.main(command_line.flags("train", *given))
    assert "The run works" in capsys.readouterr().out
    assert not places[0].exists()


@pytest.mark.parametrize(
    "printed", ["<function train at 0x7f>", "<class 'rigl_tf.train'>"]
)
def test_messages_lose_line_breaks_and_python_objects(printed):
    error = ValueError(f"Bad.\n  In call to configurable 'train' ({printed})")

    message = errors.one_line(error)

    assert message == "Bad. In call to configurable 'train'"


def test_a_warning_does_not_steer_the_terminal():
    text = errors._warning("epoch-\x1b[2J is\nnot whole", UserWarning, "f", 1)

    assert text.startswith("f:1: UserWarning: epoch-\\x1b[2J is\nnot whole\n")
