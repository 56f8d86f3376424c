"""The threads that multiply, in a process of their own."""

import os
import subprocess
import sys

import pytest

_PROGRAM = """
import os
import numba
from rigl_tf.kernels.ops import numba_threads

numba_threads.use()
print(numba.threading_layer(), os.environ.get("OMP_WAIT_POLICY"))
"""


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("wanted", "policy"), [(None, "PASSIVE"), ("active", "ACTIVE")]
)
def test_waiting_threads_sleep_unless_the_user_says_otherwise(wanted, policy):
    environment = {**os.environ, "OMP_DISPLAY_ENV": "true"}
    environment.pop("OMP_WAIT_POLICY", None)
    if wanted:
        environment["OMP_WAIT_POLICY"] = wanted

    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    layer, left_behind = done.stdout.split()
    if layer != "omp":
        pytest.skip(f"numba's threads are of {layer}")
    assert f"OMP_WAIT_POLICY = '{policy}'" in done.stderr
    assert left_behind == str(wanted)
