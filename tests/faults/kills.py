"""Processes that are killed or told to stop, and started again."""

import functools
import pathlib
import signal
import tempfile
import time

from tests.faults import harness

METHODS = ("rigl", "set", "snfs", "gradual_pruning", "static")
# Four steps in an epoch, an update at 3 and a checkpoint after each step. A
# checkpoint takes five calls of fsync and one of rename.
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
    "while a file is written": "fsync:11:before",
    "before the rename": "rename:3:before",
    "after the rename": "rename:3:after",
    "before old ones go": "rmtree:8:before",
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


def faults(few):
    for method in METHODS[:1] if few else METHODS:
        every = method == METHODS[0]
        for name, place in {} if few else STEPS.items():
            if every or name == "update":
                inject = functools.partial(killed, method, place)
                yield "killed in training", f"{method}, {name}", inject
        for name, place in SAVES.items():
            if (every and not few) or name == "before the rename":
                inject = functools.partial(killed, method, place)
                yield "killed in a save", f"{method}, {name}", inject
    for method, steps in ({} if few else SEARCHES).items():
        for step in steps:
            inject = functools.partial(killed, method, f"step:{step}:before")
            yield "killed in a search", f"{method}, step {step}", inject
    for number in () if few else (signal.SIGTERM, signal.SIGINT):
        inject = functools.partial(told, number)
        yield "told to stop", number.name, inject
    if not few:
        yield "another PYTHONHASHSEED", "7", hashed


if __name__ == "__main__":
    harness.main(faults)
