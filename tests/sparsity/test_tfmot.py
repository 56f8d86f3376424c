"""Pruning by magnitude, against tensorflow-model-optimization."""

import ast
import subprocess
import sys

import keras
import numpy as np
import pytest

import rigl_tf
from rigl_tf.sparsity import masks

SHAPE = (61, 47)
# The last asks for less than one connection: tfmot keeps one, we refuse.
SPARSITIES = (0.1, 0.5, 2 / 3, 0.9, 0.999, 0.9999)

# In a process of its own: importing tfmot makes tf.keras Keras 2.
PRUNE = """
import sys

import numpy as np
import tensorflow_model_optimization as tfmot
import tf_keras

kernel_file, masks_file, *sparsities = sys.argv[1:]
kernel = np.load(kernel_file)
inputs, outputs = kernel.shape
masks = []
for sparsity in map(float, sparsities):
    network = tf_keras.Sequential(
        [tf_keras.layers.Dense(outputs, input_shape=(inputs,), use_bias=False)]
    )
    network.set_weights([kernel])
    pruned = tfmot.sparsity.keras.prune_low_magnitude(
        network,
        tfmot.sparsity.keras.ConstantSparsity(sparsity, 0, frequency=1),
    )
    pruned.compile(tf_keras.optimizers.SGD(0.0), "mse")
    pruned.fit(
        np.ones((1, inputs)),
        np.ones((1, outputs)),
        verbose=0,
        callbacks=[tfmot.sparsity.keras.UpdatePruningStep()],
    )
    (weight, mask, threshold), = pruned.layers[0].pruning_vars
    masks.append(mask.numpy() == 1)
    np.testing.assert_array_equal(weight.numpy(), kernel * masks[-1])
np.save(masks_file, masks)
"""


@pytest.fixture(scope="module")
def kernel():
    """Weights of both signs, no two of one magnitude."""
    kernel = np.random.default_rng(0).normal(size=SHAPE).astype("float32")
    assert np.unique(np.abs(kernel)).size == kernel.size
    return kernel


@pytest.fixture(scope="module")
def theirs(kernel, tmp_path_factory):
    """The mask of tfmot at each sparsity, after one step of its training."""
    folder = tmp_path_factory.mktemp("tfmot")
    np.save(folder / "kernel.npy", kernel)
    files = [folder / "kernel.npy", folder / "masks.npy"]
    done = subprocess.run(
        [sys.executable, "-c", PRUNE, *map(str, [*files, *SPARSITIES])],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(zip(SPARSITIES, np.load(folder / "masks.npy"), strict=True))


@pytest.mark.few(1)
@pytest.mark.parametrize("sparsity", SPARSITIES)
def test_tfmot_keeps_the_connections_that_top_k_mask_keeps(
    kernel, theirs, sparsity
):
    k = max(round(kernel.size * (1 - sparsity)), 1)

    mask = masks.top_k_mask(np.abs(kernel), k)

    np.testing.assert_array_equal(mask, theirs[sparsity])


@pytest.mark.parametrize("scope", ["layer", "global"])
@pytest.mark.parametrize("sparsity", SPARSITIES[:-1])
def test_tfmot_keeps_the_connections_that_gradual_pruning_keeps(
    kernel, theirs, sparsity, scope
):
    inputs, outputs = SHAPE
    network = keras.Sequential(
        [keras.Input((inputs,)), keras.layers.Dense(outputs, use_bias=False)]
    )
    network.set_weights([kernel])
    model = rigl_tf.sparsify(
        network,
        rigl_tf.algorithms.GradualPruning(scope),
        sparsity=lambda step: (step == 0, sparsity),
        distribution=rigl_tf.distributions.uniform_all,
    )
    model.compile(keras.optimizers.SGD(0.0), "mse")

    model.fit(np.ones((1, inputs)), np.ones((1, outputs)), verbose=0)

    (pruned,) = model.kernels
    np.testing.assert_array_equal(pruned.mask, theirs[sparsity])
    np.testing.assert_array_equal(pruned.variable, kernel * theirs[sparsity])


TRAIN = """
import keras
import numpy as np

import rigl_tf
from tensorflow_model_optimization.sparsity.keras import PolynomialDecay

keras.utils.set_random_seed(0)
model = rigl_tf.sparsify(
    keras.Sequential([keras.Input((20,)), keras.layers.Dense(50)]),
    rigl_tf.algorithms.GradualPruning(),
    sparsity=PolynomialDecay(
        0.2, 0.8, begin_step=2, end_step=12, power=1, frequency=5
    ),
)
model.compile("sgd", "mse")
active = []
count = keras.callbacks.LambdaCallback(
    on_train_batch_end=lambda batch, logs: active.append(
        int(np.sum(model.kernels[0].mask))
    )
)
model.fit(
    np.ones((14, 20)),
    np.ones((14, 50)),
    batch_size=1,
    verbose=0,
    callbacks=[count],
)
print(active)
"""


@pytest.mark.slow
def test_a_model_is_pruned_when_and_as_much_as_a_tfmot_schedule_says():
    done = subprocess.run(
        [sys.executable, "-c", TRAIN], capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr[-3000:]
    active = ast.literal_eval(done.stdout)
    # 20 %, 50 % and 80 % of 1,000 connections, at steps 2, 7 and 12. In the
    # 32-bit floats of tfmot, 20 % may be a little less.
    expected = [1000] * 2 + [800] * 5 + [500] * 5 + [200] * 2
    np.testing.assert_allclose(active, expected, rtol=0, atol=1)
    assert active[-1] == 200
