"""Errors about stored connections, and the changes that their messages name."""

import ast
import re
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

import rigl_tf
from rigl_tf import algorithms
from rigl_tf.sparsity.structures import Blocks
from rigl_tf.sparsity.structures import Filters


def train(
    storage,
    layers,
    algorithm="static",
    structure=None,
    jit_compile="auto",
    gradient_accumulation_steps=None,
    mask=None,
    shape=(8, 8, 6),
):
    """Trains a model of some layers; every argument may be refused."""
    network = layers()
    if not isinstance(network, keras.Model):
        network = keras.Sequential([keras.Input(shape), *network])
    model = rigl_tf.sparsify(
        network,
        algorithms.get(algorithm),
        sparsity=0.5,
        distribution="uniform_all",
        schedule=rigl_tf.schedules.UpdateSchedule(2, end_step=10)
        if algorithms.get(algorithm).updates_masks
        else None,
        structure=structure,
        storage=storage,
    )
    if mask is not None:
        model.set_masks({model.kernels[0].name: mask})
    optimizer = keras.optimizers.SGD(
        0.1, gradient_accumulation_steps=gradient_accumulation_steps
    )
    model.compile(optimizer, "mse", jit_compile=jit_compile)
    x = np.zeros((2, *shape), "float32")
    model.fit(x, np.zeros(model(x).shape), epochs=8, verbose=0)


def remedies(message):
    """Yields the changed arguments that the message of an error names."""
    for value in re.findall(r"storage=('\w+'|\{.*?\})", message):
        yield {"storage": ast.literal_eval(value)}
    for name in re.findall(r"[Ll]eave `(\w+)(?:=\w+)?`\s+out", message):
        yield {name: "auto" if name == "jit_compile" else None}


def attention():
    inputs = keras.Input((8, 6))
    heads = kl.GroupQueryAttention(3, 2, 1, name="heads")
    return keras.Model(inputs, kl.Dense(6, name="out")(heads(inputs, inputs)))


@keras.saving.register_keras_serializable(package="tests")
class Subclassed(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.one = kl.Dense(6, name="one")
        self.other = kl.Dense(4, name="other")

    def call(self, inputs):
        return self.other(self.one(inputs))


def subclassed():
    model = Subclassed()
    model(np.zeros((1, 8, 8, 6)))
    return model


DENSE = {"layers": lambda: [kl.Dense(4, name="layer")]}
REFUSED = {
    "several": {
        "layers": lambda: [
            kl.Conv2DTranspose(4, 3, name="conv_one"),
            kl.Conv2D(6, 3, name="conv_two"),
            kl.Conv2DTranspose(4, 3, name="conv_three"),
        ]
    },
    "blocks of groups": {
        "layers": lambda: [kl.Conv2D(4, 1, groups=2, name="layer")],
        "structure": Blocks(2, 2),
    },
    "einsum": {
        "layers": lambda: [
            kl.EinsumDense("abcd,ed->abce", (8, 8, 5), name="layer")
        ]
    },
    "constraint": {
        "layers": lambda: [
            kl.Conv2D(4, 1, kernel_constraint="max_norm", name="layer")
        ]
    },
    "regularizer": {
        "layers": lambda: [
            kl.Dense(
                4,
                kernel_regularizer=keras.regularizers.OrthogonalRegularizer(),
                name="layer",
            )
        ]
    },
    "transposed": {"layers": lambda: [kl.Conv2DTranspose(4, 1, name="layer")]},
    "attention": {"layers": attention, "shape": (8, 6)},
    "subclassed": {"layers": subclassed},
    "gradients": {**DENSE, "algorithm": "snfs"},
    "signs": {**DENSE, "algorithm": "deepr"},
    "structure": {**DENSE, "structure": Filters()},
    "xla": {**DENSE, "jit_compile": True},
    "accumulation": {
        **DENSE,
        "algorithm": "rigl",
        "gradient_accumulation_steps": 2,
    },
    "room": {**DENSE, "mask": np.ones((6, 4), bool)},
}


@pytest.mark.few(5)
@pytest.mark.parametrize("name", REFUSED)
def test_what_an_error_says_to_do_is_enough(name):
    arguments = {"storage": "active", **REFUSED[name]}
    with pytest.raises((TypeError, ValueError)) as raised:
        train(**arguments)
    changes = list(remedies(str(raised.value)))

    assert changes
    for change in changes:
        train(**{**arguments, **change})


def test_one_error_names_all_layers_that_stay_dense():
    with pytest.raises(TypeError) as raised:
        train({"conv*": "active", "*": "dense"}, **REFUSED["several"])

    (change,) = remedies(str(raised.value))
    assert list(change["storage"].values()) == 2 * ["dense"] + [
        "active",
        "dense",
    ]


_PROGRAM = """
import numpy as np, tensorflow as tf
from tensorflow.python.eager import context

# As if the machine had a GPU: TensorFlow makes the device of it only later.
devices = context.context()
devices.list_physical_devices()
gpu = context.PhysicalDevice("/physical_device:GPU:0", "GPU")
devices._physical_devices.append(gpu)
devices._physical_device_to_index[gpu] = 0
devices._visible_device_list.append(gpu)
devices._memory_growth_map[gpu] = None
{remedy}
import keras, rigl_tf
from rigl_tf.experiments import provenance
network = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4)])
model = rigl_tf.sparsify(network, "static", sparsity=0.5, storage="active")
model.compile("sgd", "mse")
model.fit(np.zeros((2, 6)), np.zeros((2, 4)), verbose=0)
print(len(tf.config.list_physical_devices("GPU")), provenance.device())
"""


def test_a_gpu_is_refused_until_it_is_hidden(monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(tf.config, "get_visible_devices", lambda kind: [kind])
        with pytest.raises(ValueError, match="hide the GPU") as refused:
            train("active", **DENSE)
    (remedy,) = re.findall(r"`(tf\.config.*?)`", str(refused.value))

    hidden = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(remedy=remedy)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert hidden.returncode == 0, hidden.stderr
    number, device = hidden.stdout.split(maxsplit=1)
    assert number == "1"
    assert "GPU" not in device
