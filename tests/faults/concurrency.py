"""Two processes that want the same directory."""

import signal
import time

from tests.faults import harness


def wait_for(path):
    for _ in range(600):
        if path.exists():
            return
        time.sleep(0.1)
    raise AssertionError(f"{path} did not appear.")


def second_is_refused(directory):
    run = directory / "run"
    first = harness.start(run, "rigl", "--epochs=400")
    wait_for(run / ".lock")
    second = harness.start(run, "rigl", "--epochs=400", "--resume")
    assert second.wait(timeout=60) == 1
    log = run.with_suffix(".log").read_text()
    assert f"is in use by process {first.pid} on" in log, log[-2000:]
    first.kill()
    first.wait()


def dead_holder_is_no_holder(directory):
    run = directory / "run"
    first = harness.start(run, "rigl", "--epochs=400")
    wait_for(run / "checkpoints" / "epoch-000002-000000000")
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert (run / ".lock").exists()
    second = harness.start(run, "rigl", "--epochs=400", "--resume")
    wait_for(run / "checkpoints" / "epoch-000020-000000000")
    second.kill()
    second.wait()


def faults(few):
    yield "second process in a directory", "training", second_is_refused
    if not few:
        yield "lock of a dead process", "killed", dead_holder_is_no_holder


if __name__ == "__main__":
    harness.main(faults)
