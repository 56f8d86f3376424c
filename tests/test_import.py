"""What `import rigl_tf` does to a program."""

import json
import subprocess
import sys

import pytest

from tests import test_public_api

PROGRAM = """
import json
import os
import sys

import keras
import tensorflow as tf

sys.modules["fcntl"] = None  # as where there is none
modules, variables = set(sys.modules), dict(os.environ)
import rigl_tf

assert dict(os.environ) == variables
assert tf.keras.__version__ == keras.__version__
loaded = {name.split(".")[0] for name in set(sys.modules) - modules}
missing = []
for name in json.loads(sys.argv[1]):
    try:
        eval(name)
    except AttributeError:
        missing.append(name)
import rigl_tf.utils.file_lock

print(json.dumps([sorted(loaded - sys.stdlib_module_names), missing]))
"""


@pytest.fixture(scope="module")
def imported():
    """Packages that the import loads, and documented names that are missing."""
    names = sorted({name for _, name in test_public_api.documented()})
    assert len(names) > 20
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, json.dumps(names)],
        capture_output=True,
        text=True,
        cwd=test_public_api.ROOT,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_it_loads_no_other_package_and_leaves_tf_keras_alone(imported):
    packages, _ = imported

    assert packages == ["filelock", "rigl_tf"]


def test_every_documented_name_is_there(imported):
    _, missing = imported

    documented = test_public_api.documented()
    assert [one for one in documented if one[1] in missing] == []
