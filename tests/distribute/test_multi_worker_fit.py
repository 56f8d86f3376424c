"""The corrections of Keras's `fit` with several workers are needed."""

import json
import os
import subprocess
import sys

import pytest

from tests.faults.workers import free_ports

# Trains twice, each time with one correction and without the other.
SCRIPT = """
import keras
import numpy as np
import tensorflow as tf
from rigl_tf._keras_compat import MultiWorkerFit

strategy = tf.distribute.MultiWorkerMirroredStrategy()
x, y = np.ones((8, 4), "float32"), np.ones((8, 2), "float32")
data = tf.data.Dataset.from_tensor_slices((x, y)).batch(4)
methods = ("_maybe_symbolic_build", "_make_function")
for method, other in (methods, methods[::-1]):
    with strategy.scope():
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        model.compile("sgd", "mse")
    setattr(model, method, getattr(MultiWorkerFit, method).__get__(model))
    try:
        model.fit(data, verbose=0)
        print(other, "is not needed")
    except ValueError:
        print(other, "is needed")
"""


@pytest.mark.slow
def test_both_corrections_are_needed():
    """If this fails, Keras has corrected its `fit`: remove ours."""
    workers = [f"localhost:{port}" for port in free_ports(2)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT],
            env={
                **os.environ,
                "TF_CONFIG": json.dumps(
                    {
                        "cluster": {"worker": workers},
                        "task": {"type": "worker", "index": index},
                    }
                ),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for index in range(2)
    ]

    for process in processes:
        assert process.communicate(timeout=300)[0].splitlines() == [
            "_make_function is needed",
            "_maybe_symbolic_build is needed",
        ]
