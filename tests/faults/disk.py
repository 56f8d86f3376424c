"""A disk that is full."""

import functools
import resource
import subprocess

from rigl_tf.callbacks import checkpoint_files
from tests.faults import harness


def limit(size):
    """Lets no file become larger than so many bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def file_too_large(directory):
    """No checkpoint fits, and neither does the model in the end."""
    run = directory / "run"
    child = harness.start(
        run,
        "rigl",
        preexec_fn=lambda: limit(2000),
        stdout=subprocess.PIPE,  # a file would be too large as well
        stderr=subprocess.STDOUT,
        text=True,
    )
    log, _ = child.communicate(timeout=300)
    assert child.returncode == 1, log[-3000:]
    assert log.count("could not be saved") > 2, log[-3000:]
    assert "File too large" in log
    assert checkpoint_files.paths(run / "checkpoints") == []
    harness.train(run, "rigl", "--resume")
    harness.check_same(run, whole(directory))


def mount(place, options):
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True
    )


def no_space_left(directory):
    """The disk is full from the seventh step on, and later is not."""
    run = directory / "run"
    run.mkdir()
    mount(run, "size=1M")
    try:
        child = harness.start(run, "rigl", "--fill=7")
        child.wait(timeout=300)
        log = run.with_suffix(".log").read_text()
        assert "could not be saved: [Errno 28]" in log, log[-3000:]
        (path, *_) = checkpoint_files.paths(run / "checkpoints")
        checkpoint_files.read_facts(path)  # is whole
        (run / "ballast").unlink()
        mount(run, "remount,size=64M")
        harness.train(run, "rigl", "--resume")
        harness.check_same(run, whole(directory))
    finally:
        subprocess.run(["umount", run], check=True)


@functools.cache
def whole(directory):
    run = directory / "whole"
    harness.train(run, "rigl")
    return run


def faults(few):
    yield "full disk", "file size limit of 2 kB", file_too_large
    if not few and can_mount():
        yield "full disk", "file system of 1 MB", no_space_left


def can_mount():
    """Whether this is a root that may mount."""
    done = subprocess.run(["unshare", "-m", "true"], capture_output=True)
    return done.returncode == 0


if __name__ == "__main__":
    harness.main(faults)
