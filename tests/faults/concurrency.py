"""Two processes that want the same directory."""

import signal
import time

from tests.faults import harness


def wait_until(happened):
    for _ in range(600):
        if happened():
            return
        time.sleep(0.1)
    raise AssertionError("It did not happen within a minute.")


def has_done(run, epochs):
    """Whether a checkpoint of so many epochs, or of more, is there."""
    paths = (run / "checkpoints").glob("epoch-*")
    return any(int(path.name.split("-")[1]) >= epochs for path in paths)


def second_is_refused(directory):
    run = directory / "run"
    first = harness.start(run, "rigl", "--epochs=400")
    wait_until((run / ".lock").exists)
    second = harness.start(run, "rigl", "--epochs=400", "--resume")
    assert second.wait(timeout=60) == 1
    log = run.with_suffix(".log").read_text()
    assert f"is in use by process {first.pid} on" in log, log[-2000:]
    first.kill()
    first.wait()


def dead_holder_is_no_holder(directory):
    run = directory / "run"
    first = harness.start(run, "rigl", "--epochs=400")
    wait_until(lambda: has_done(run, 2))
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert (run / ".lock").exists()
    second = harness.start(run, "rigl", "--epochs=400", "--resume")
    wait_until(lambda: has_done(run, 20))
    second.kill()
    second.wait()


def faults(few):
    yield "second process in a directory", "training", second_is_refused
    if not few:
        yield "lock of a dead process", "killed", dead_holder_is_no_holder


if __name__ == "__main__":
    harness.main(faults)
