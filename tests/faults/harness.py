"""What the modules of injected faults share."""

import argparse
import contextlib
import json
import multiprocessing
import os
import pathlib
import subprocess
import sys
import tempfile
import traceback

import keras
import numpy as np

import rigl_tf  # noqa: F401  so that sparse models can be loaded

# Its processes have imported TensorFlow already, which takes longer than most
# runs.
WARM = multiprocessing.get_context("forkserver")
WARM.set_forkserver_preload(["tests.faults.child"])

ROOT = pathlib.Path(__file__).parent.parent.parent
FEW = "--smoke"


def main(faults):
    """Injects faults and prints a line of JSON for each.

    Args:
        faults: Function of `few`, whether a few will do, that yields triples:
            the kind of fault, the case, and a function that injects it and
            raises an error if something is lost. It gets an empty directory.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument(FEW, action="store_true")
    args = parser.parse_args()
    for kind, case, inject in faults(args.smoke):
        error = None
        with tempfile.TemporaryDirectory() as directory:
            try:
                inject(pathlib.Path(directory))
            except Exception:
                error = traceback.format_exc()
        print(json.dumps({"kind": kind, "case": case, "error": error}))
        sys.stdout.flush()


def start(directory, *args, env=None, **kwargs):
    """Starts `tests.faults.child`, its messages in a file beside it."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    log = directory.with_suffix(".log").open("ab")
    with contextlib.closing(log):
        return subprocess.Popen(
            [sys.executable, "-m", "tests.faults.child", directory, *args],
            cwd=ROOT,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **(env or {})},
            **{"stdout": log, "stderr": log, **kwargs},
        )


def train(directory, *args, code=0, env=None):
    """Runs the child to its end, which must have an exit code.

    With `env`, TensorFlow starts anew.
    """
    if env:
        check_end(start(directory, *args, env=env), directory, code)
        return
    directory.parent.mkdir(parents=True, exist_ok=True)
    child = WARM.Process(target=_run_child, args=(directory, args))
    child.start()
    child.join(timeout=300)
    _check_code(child.exitcode, directory, code)


def _run_child(directory, args):
    """Runs `tests.faults.child` in this process."""
    from tests.faults import child

    with directory.with_suffix(".log").open("ab") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
    sys.argv = ["child", str(directory), *args]
    child.main()


def check_end(child, directory, code):
    """Waits for a child, which must end with an exit code."""
    _check_code(child.wait(timeout=300), directory, code)


def _check_code(found, directory, code):
    if found != code:
        messages = directory.with_suffix(".log").read_text()[-3000:]
        raise AssertionError(f"Exit code {found}, not {code}.\n{messages}")


def outcome(directory):
    """What must not depend on how often a run was stopped."""
    record = json.loads((directory / "record.json").read_text())
    model = keras.saving.load_model(directory / "model.keras")
    variables = model.weights + model.optimizer.variables
    return {
        "history": record["history"],
        "test": record["test"],
        "ticket": record["ticket"],
        "weights": [np.array(v).tobytes() for v in variables],
    }


def check_same(directory, other, rounding=0.0):
    """Raises an AssertionError if two runs ended with anything different.

    Args:
        directory: Path of a run.
        other: Path of a run.
        rounding: Float, by how much metrics may differ, relatively. Of several
            replicas, a checkpoint has the sum of what each has counted.
    """
    one, two = outcome(directory), outcome(other)
    assert one["weights"] == two["weights"], "The weights are not the same."
    assert one["ticket"] == two["ticket"], "The tickets are not the same."
    for what in ("history", "test"):
        assert one[what].keys() == two[what].keys()
        for name, value in one[what].items():
            assert np.allclose(
                value, two[what][name], rtol=rounding, atol=0.0, equal_nan=True
            ), f"The {name} is not the same."
    left = {path.name for path in directory.iterdir()}
    assert not left & {"checkpoints", "search", "checks"}, "A run has them."
