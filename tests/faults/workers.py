"""Several processes that train one model, one of which dies."""

import functools
import json
import pathlib
import signal
import socket
import tempfile

from tests.faults import harness


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("localhost", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def start(run, method, count, *args, killed=None):
    hosts = [f"localhost:{port}" for port in free_ports(count)]
    children = []
    for index in range(count):
        config = {
            "cluster": {"worker": hosts},
            "task": {"type": "worker", "index": index},
        }
        kill = ("--kill=step:6:after",) if index == killed else ()
        children.append(
            harness.start(
                run,
                method,
                "--strategy=multi_worker",
                *kill,
                *args,
                env={"TF_CONFIG": json.dumps(config)},
            )
        )
    return children


def train(run, method, count, *args):
    for child in start(run, method, count, *args):
        harness.check_end(child, run, code=0)


@functools.cache
def reference(method, count):
    run = pathlib.Path(tempfile.mkdtemp()) / method
    train(run, method, count)
    return run


def killed(method, count, index, directory):
    run = directory / "run"
    children = start(run, method, count, killed=index)
    codes = [child.wait(timeout=300) for child in children]
    assert codes.pop(index) == -signal.SIGKILL, codes
    assert 0 not in codes, "A worker has finished without the other."
    log = run.with_suffix(".log").read_text()
    assert "The last checkpoint is" in log, log[-3000:]
    train(run, method, count, "--resume")
    harness.check_same(run, reference(method, count), rounding=1e-6)


def uninterrupted(directory):
    """Not a fault: two workers train, and the chief alone writes."""
    train(directory / "run", "rigl", 2)
    names = {path.name for path in (directory / "run").iterdir()}
    assert names == {
        "config.gin",
        "figures",
        "logs",
        "model.keras",
        "record.json",
    }, names


def faults(few):
    if few:
        yield "two workers", "rigl", uninterrupted
        return
    for method, count, index in [
        ("rigl", 2, 1),
        ("dense", 2, 0),
        ("set", 3, 2),
    ]:
        yield (
            "a worker is killed",
            f"{method}, worker {index} of {count}",
            functools.partial(killed, method, count, index),
        )


if __name__ == "__main__":
    harness.main(faults)
