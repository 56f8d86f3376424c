"""What `import rigl_tf` does to a program."""

import subprocess
import sys

PROGRAM = """
import os
import sys

import keras
import tensorflow as tf

modules, variables = set(sys.modules), dict(os.environ)
import rigl_tf

assert dict(os.environ) == variables
assert tf.keras.__version__ == keras.__version__
loaded = {name.split(".")[0] for name in set(sys.modules) - modules}
print(*sorted(loaded - sys.stdlib_module_names))
"""


def test_it_loads_no_other_package_and_leaves_tf_keras_alone():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True
    )

    assert done.stdout.strip() == "filelock rigl_tf", done.stderr[-3000:]
