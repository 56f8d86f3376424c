"""The software, machine and command behind a run."""

import datetime
import functools
import importlib.metadata
import pathlib
import platform
import shlex
import subprocess
import sys

import tensorflow as tf

_MAX_COMMAND = 10_000  # characters


def versions():
    """Returns a dictionary from a package to its version."""
    return {
        "rigl_tf": sys.modules["rigl_tf"].__version__,
        **{
            name: importlib.metadata.version(name)
            for name in ("tensorflow", "keras", "numpy")
        },
        "python": platform.python_version(),
    }


def device():
    """Returns the name of the accelerators, or else of the processor."""
    accelerators = tf.config.get_visible_devices("GPU")
    accelerators += tf.config.get_visible_devices("TPU")
    if accelerators:
        details = tf.config.experimental.get_device_details(accelerators[0])
        name = details.get("device_name", accelerators[0].device_type)
        return f"{len(accelerators)} x {name}"
    return _processor()


def describe():
    """Returns a dictionary with the date, the command and the commit."""
    program = pathlib.Path(sys.argv[0]).name or "python"
    date = datetime.datetime.now(datetime.UTC)
    return {
        "date": date.isoformat(timespec="seconds"),
        "command": shlex.join([program, *sys.argv[1:]])[:_MAX_COMMAND],
        **_commit(),
    }


@functools.cache
def _processor():
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name" and value.strip():
                return value.strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


@functools.cache
def _commit():
    """Returns the commit of a checkout, with + if files are changed."""
    root = pathlib.Path(__file__).parents[2]
    if not (root / ".git").exists():
        return {}
    command = ["git", "-C", root, "describe", "--always", "--abbrev=40"]
    try:
        done = subprocess.run(
            [*command, "--dirty=+", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    return {"commit": done.stdout.strip()} if done.returncode == 0 else {}
