"""Pruning by magnitude, against tensorflow-model-optimization."""

import ast
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

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
    pruned.compile(tf_keras.optimizers.SGD(0.0), "mse", run_eagerly=True)
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


@pytest.mark.few(4)
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


# The weights, the data and the schedules of both libraries.
MIGRATED = """
import numpy as np

rng = np.random.default_rng(0)
SHAPES = {
    "first": (12, 20),
    "second": (20, 15),
    "third": (15, 10),
    "last": (10, 3),
}
KERNELS = {
    name: rng.normal(size=shape).astype("float32") / shape[0] ** 0.5
    for name, shape in SHAPES.items()
}
# Many equal weights; more zeros than the sparsity, so that nothing is pruned.
KERNELS["second"] = np.round(KERNELS["second"], 1)
KERNELS["third"] *= np.arange(10) > 6
X = rng.normal(size=(30, 12)).astype("float32")
Y = rng.normal(size=(30, 3)).astype("float32")


def schedules(library):
    Polynomial, Constant = library.PolynomialDecay, library.ConstantSparsity
    return {
        "first": Polynomial(0.2, 0.75, 3, 23, frequency=4),
        "second": Polynomial(0.1, 0.9, 1, 25, power=1, frequency=4),
        "third": Constant(0.4, 1, frequency=50),
        "last": Constant(0.5, 0, end_step=10, frequency=1),
    }


def network(keras):
    return keras.Sequential(
        [keras.layers.InputLayer((12,))]
        + [
            keras.layers.Dense(shape[1], "tanh", name=name)
            for name, shape in SHAPES.items()
        ]
    )


def set_kernels(layers):
    for layer in layers:
        layer.kernel.assign(KERNELS[layer.name])
"""

THEIRS = (
    MIGRATED
    + """
import sys

import tensorflow_model_optimization as tfmot
import tf_keras

library = tfmot.sparsity.keras
by_layer = schedules(library)
model = network(tf_keras)
pruned = tf_keras.models.clone_model(
    model,
    clone_function=lambda layer: library.prune_low_magnitude(
        layer, by_layer[layer.name]
    )
    if layer.name in by_layer
    else layer,
)
wrapped = [layer for layer in pruned.layers if hasattr(layer, "pruning_vars")]
set_kernels([layer.layer for layer in wrapped])
pruned.compile(tf_keras.optimizers.SGD(0.01), "mse")
masks = {layer.layer.name: [] for layer in wrapped}


class Masks(tf_keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        for layer in wrapped:
            mask = layer.pruning_vars[0][1]
            masks[layer.layer.name].append(mask.numpy() == 1)


pruned.fit(
    X,
    Y,
    batch_size=1,
    shuffle=False,
    verbose=0,
    callbacks=[library.UpdatePruningStep(), Masks()],
)
np.savez(sys.argv[1], **masks)
"""
)


@pytest.mark.filterwarnings("ignore:Training has ended at step")
def test_a_migrated_script_has_the_masks_of_tfmot_in_every_batch(tmp_path):
    """With ties, a schedule for each layer, and the last step included."""
    done = subprocess.run(
        [sys.executable, "-c", THEIRS, tmp_path / "masks.npz"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(tmp_path / "masks.npz") as file:
        theirs = dict(file)
    script = {}
    exec(MIGRATED, script)
    model = script["network"](keras)
    script["set_kernels"](model.layers)

    pruned = rigl_tf.tfmot.prune_low_magnitude(
        model, script["schedules"](rigl_tf.tfmot)
    )
    ours = {kernel.name: [] for kernel in pruned.kernels}

    def record(batch, logs=None):
        for kernel in pruned.kernels:
            ours[kernel.name].append(np.array(tf.identity(kernel.mask)))

    pruned.compile(keras.optimizers.SGD(0.01), "mse")
    pruned.fit(
        script["X"],
        script["Y"],
        batch_size=1,
        shuffle=False,
        verbose=0,
        callbacks=[keras.callbacks.LambdaCallback(on_train_batch_begin=record)],
    )

    assert theirs.keys() == ours.keys()
    for name, expected in theirs.items():
        np.testing.assert_array_equal(ours[name], expected, err_msg=name)
    kept = [int(kernel.count()) for kernel in pruned.kernels]
    assert kept == [60, 30, 150, 15]
    # Of equal weights, all are kept.
    assert ours["second"][0].sum() > 270


@pytest.mark.parametrize("kind", ["PolynomialDecay", "ConstantSparsity"])
def test_a_schedule_is_the_formula_of_tfmot(kind):
    if kind == "ConstantSparsity":
        schedule = rigl_tf.tfmot.ConstantSparsity(0.3, 5, 17, frequency=4)
    else:
        schedule = rigl_tf.tfmot.PolynomialDecay(0.1, 0.8, 5, 17, 2.5, 4)
    for step in range(20):
        is_due, sparsity = schedule(tf.constant(step))
        assert bool(is_due) == (step in (5, 9, 13, 17))
        expected = 0.3
        if kind == "PolynomialDecay":
            left = 1 - min(max((step - 5) / 12, 0), 1)
            expected = 0.8 + (0.1 - 0.8) * left**2.5
        assert float(sparsity) == pytest.approx(expected, abs=1e-7)


def test_embeddings_are_pruned_and_other_layers_can_be_left_out():
    network = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Embedding(10, 6, name="table"),
            keras.layers.Flatten(),
            keras.layers.Dense(5, name="hidden"),
            keras.layers.Dense(3, name="logits"),
        ]
    )

    model = rigl_tf.tfmot.prune_low_magnitude(
        network,
        rigl_tf.tfmot.ConstantSparsity(0.9, 0, frequency=1),
        exclude="logits",
    )

    kept = {kernel.name: int(kernel.count()) for kernel in model.kernels}
    assert kept == {"table": 6, "hidden": 12}


@pytest.mark.parametrize(
    ("by_layer", "expected"),
    [
        (None, {"hidden": 10, "logits": 8}),
        (
            {"log*": rigl_tf.tfmot.ConstantSparsity(0.75, 0)},
            {"hidden": 20, "logits": 4},
        ),
    ],
)
def test_half_is_pruned_by_default_and_layers_without_a_schedule_stay_dense(
    by_layer, expected
):
    network = keras.Sequential(
        [
            keras.Input((5,)),
            keras.layers.Dense(4, name="hidden"),
            keras.layers.Dense(4, name="logits"),
        ]
    )

    model = rigl_tf.tfmot.prune_low_magnitude(network, by_layer)

    names = [kernel.name for kernel in model.kernels]
    assert dict(zip(names, model.budgets, strict=True)) == expected


def test_a_pruned_model_is_saved_with_its_schedules(tmp_path):
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5)])
    model = rigl_tf.tfmot.prune_low_magnitude(
        network, rigl_tf.tfmot.PolynomialDecay(0.0, 0.5, 2, 6, frequency=2)
    )
    model.compile("sgd", "mse")
    x, y = np.ones((3, 4)), np.ones((3, 5))
    model.fit(x, y, batch_size=1, verbose=0)
    model.save(tmp_path / "pruned.keras")

    loaded = keras.saving.load_model(tmp_path / "pruned.keras")
    assert loaded.sparsity == model.sparsity
    loaded.fit(x, y, batch_size=1, verbose=0)
    assert int(loaded.kernels[0].count()) == 10


@pytest.mark.parametrize(
    ("make", "error", "problem"),
    [
        (lambda t, m: t.prune_low_magnitude(m.layers[0]), TypeError, "a dict"),
        (lambda t, m: t.prune_low_magnitude(m, 0.5), TypeError, "a schedule"),
        (
            lambda t, m: t.prune_low_magnitude(
                m, {"x": t.ConstantSparsity(0, 0)}
            ),
            ValueError,
            "`pruning_schedule` matches no layer",
        ),
        (lambda t, m: t.ConstantSparsity(50, 0), ValueError, "target_sparsity"),
        (
            lambda t, m: t.PolynomialDecay(0, 0.5, 10, 10),
            ValueError,
            "`end_step` must be an integer of at least 11",
        ),
    ],
)
def test_a_mistake_is_named(make, error, problem):
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5)])
    with pytest.raises(error, match=problem):
        make(rigl_tf.tfmot, network)


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
