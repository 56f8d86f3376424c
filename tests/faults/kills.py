"""Processes that are killed or told to stop, and started again.

METHODS in the environment says what they train with.
"""

import functools
import os
import pathlib
import signal
import tempfile
import time

import keras
import numpy as np

from tests.faults import harness

# Four steps in an epoch, an update at 3 and a checkpoint after each step. A
# checkpoint takes five calls of fsync and one of replace, and the run's mark
# before all of them two and one.
STEPS = {
    "first step": "step:1:before",
    "before an update": "step:2:after",
    "update": "step:3:before",
    "after an update": "step:3:after",
    "end of an epoch": "step:4:after",
}
# Of rounds or of a search, of training, and of a sanity check.
SEARCHES = {"gem_miner": (6, 20, 35), "imp": (1, 13, 30)}
SAVES = {
    "while a file is written": "fsync:13:before",
    "before the rename": "replace:4:before",
    "after the rename": "replace:4:after",
    "while an old one goes": "rmtree:1:before",
}


@functools.cache
def reference(method):
    place = pathlib.Path(tempfile.mkdtemp()) / method
    harness.train(place, method)
    return place


def killed(method, place, directory):
    run = directory / "run"
    harness.train(run, method, f"--kill={place}", code=-signal.SIGKILL)
    harness.train(run, method, "--resume")
    harness.check_same(run, reference(method))


def told(number, directory):
    """A signal while training, whenever it comes."""
    run = directory / "run"
    child = harness.start(run, "rigl", "--epochs=400", "--every=1000000")
    while not (run / "logs").exists():
        time.sleep(0.1)
    time.sleep(2)
    child.send_signal(number)
    harness.check_end(child, run, code=75)
    assert len(list((run / "checkpoints").glob("epoch-*"))) == 1


def hashed(directory):
    """Not a fault: nothing may follow the order of sets or dictionaries."""
    harness.train(directory / "run", "rigl", env={"PYTHONHASHSEED": "7"})
    harness.check_same(directory / "run", reference("rigl"))


def in_one_thread(directory):
    """Not a fault: sums in another order, of two threads or of one."""
    run = directory / "run"
    harness.train(run, "rigl", env={"TF_NUM_INTRAOP_THREADS": "1"})
    one, several = (
        keras.saving.load_model(place / "model.keras")
        for place in (run, reference("rigl"))
    )
    for a, b in zip(one.weights, several.weights, strict=True):
        np.testing.assert_allclose(np.array(a), np.array(b), rtol=1e-4)


def faults(few):
    methods = os.environ.get("METHODS", "rigl").split()
    for method in methods[:1] if few else methods:
        if method in SEARCHES:
            for step in SEARCHES[method][: 1 if few else None]:
                place = f"step:{step}:before"
                inject = functools.partial(killed, method, place)
                yield "killed in a search", f"{method}, step {step}", inject
            continue
        every = method == "rigl" and not few
        for name, place in {} if few else STEPS.items():
            if every or name == "update":
                inject = functools.partial(killed, method, place)
                yield "killed in training", f"{method}, {name}", inject
        for name, place in SAVES.items():
            if every or name == "before the rename":
                inject = functools.partial(killed, method, place)
                yield "killed in a save", f"{method}, {name}", inject
    if few or "rigl" not in methods:
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        inject = functools.partial(told, number)
        yield "told to stop", number.name, inject
    yield "another PYTHONHASHSEED", "7", hashed
    yield "another number of threads", "1", in_one_thread


if __name__ == "__main__":
    harness.main(faults)
