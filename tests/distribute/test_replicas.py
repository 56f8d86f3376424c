"""Training on several replicas."""

import os
import pathlib
import subprocess
import sys


def test_two_replicas_train_like_one_device():
    """A process of its own: devices are fixed when TensorFlow starts."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.distribute.two_replicas"],
        cwd=pathlib.Path(__file__).parents[2],
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )

    assert result.returncode == 0, result.stderr
