"""Layers that store their active connections, beside plain ones."""

import dataclasses
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

import rigl_tf
from rigl_tf import kernels
from rigl_tf.algorithms import RigL
from rigl_tf.kernels import ops
from rigl_tf.kernels.ops import csr_matmul
from rigl_tf.sparsity.structures import Blocks
from rigl_tf.sparsity.structures import Filters
from rigl_tf.sparsity.structures import Kernels2D

LAYERS = {
    "dense": ((16,), lambda: kl.Dense(12, "relu", name="layer")),
    "dense over time": ((5, 16), lambda: kl.Dense(12, name="layer")),
    "no bias": ((16,), lambda: kl.Dense(12, use_bias=False, name="layer")),
    "heads": (
        (5, 16),
        lambda: kl.EinsumDense(
            "abc,cde->abde", (None, 3, 4), bias_axes="de", name="layer"
        ),
    ),
    "heads together": (
        (5, 4, 6),
        lambda: kl.EinsumDense("abcd,cde->abe", (None, 12), name="layer"),
    ),
    "1x1": (
        (8, 8, 6),
        lambda: kl.Conv2D(10, 1, activation="relu", name="layer"),
    ),
    "1x1 with strides": (
        (9, 8, 6),
        lambda: kl.Conv2D(10, 1, strides=(2, 3), padding="same", name="layer"),
    ),
    "1x1 of channels first": (
        (6, 9, 8),
        lambda: kl.Conv2D(
            10, 1, strides=2, data_format="channels_first", name="layer"
        ),
    ),
    "one tap": ((9, 6), lambda: kl.Conv1D(10, 1, strides=2, name="layer")),
    "one voxel": ((4, 5, 3, 6), lambda: kl.Conv3D(10, 1, name="layer")),
    "3x3": (
        (8, 7, 6),
        lambda: kl.Conv2D(10, 3, activation="relu", name="layer"),
    ),
    "3x2 with strides": (
        (9, 8, 6),
        lambda: kl.Conv2D(
            10, (3, 2), strides=(2, 3), padding="same", name="layer"
        ),
    ),
    "3x3 with holes": (
        (9, 8, 6),
        lambda: kl.Conv2D(10, 3, dilation_rate=2, padding="same", name="layer"),
    ),
    "3x3 of channels first": (
        (6, 9, 8),
        lambda: kl.Conv2D(
            10, 3, padding="same", data_format="channels_first", name="layer"
        ),
    ),
    "causal": (
        (9, 6),
        lambda: kl.Conv1D(
            10, 4, dilation_rate=2, padding="causal", name="layer"
        ),
    ),
    "volume": (
        (5, 6, 4, 3),
        lambda: kl.Conv3D(7, (2, 3, 2), strides=2, name="layer"),
    ),
}
GROUPS = {
    "groups": (
        (6, 5, 6),
        lambda: kl.Conv2D(8, 3, groups=2, padding="same", name="layer"),
    ),
    "groups of 1x1": (
        (6, 5, 6),
        lambda: kl.Conv2D(8, 1, groups=2, strides=2, name="layer"),
    ),
}
CASES = [
    *((*layer, None) for layer in (LAYERS | GROUPS).items()),
    *((*layer, Blocks(4, 5)) for layer in LAYERS.items()),
    *((*layer, Kernels2D()) for layer in (LAYERS | GROUPS).items()),
]
cases = pytest.mark.parametrize(
    ("layer", "structure"),
    [(layer, structure) for _, layer, structure in CASES],
    ids=[f"{name}-{structure}" for name, _, structure in CASES],
)


def sparse(input_shape, layer, storage, sparsity=0.8, **kwargs):
    keras.utils.set_random_seed(0)
    layer = layer if isinstance(layer, kl.Layer) else layer()
    return rigl_tf.sparsify(
        keras.Sequential([keras.Input(input_shape), layer]),
        RigL(),
        sparsity=sparsity,
        storage=storage,
        **kwargs,
    )


@pytest.mark.few(6)
@cases
def test_it_computes_what_the_plain_layer_does(layer, structure):
    input_shape, layer = layer
    dense, active = (
        sparse(input_shape, layer, storage, structure=structure)
        for storage in ("dense", "active")
    )
    x = np.random.default_rng(0).normal(size=(7, *input_shape))
    x = tf.constant(x, tf.float32)

    gradients = []
    for model in (dense, active):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = model(x)
            loss = tf.reduce_sum(y**2)
        (kernel,) = model.kernels
        variables = [x, kernel.variable, *model.trainable_variables[1:]]
        gradients.append(tape.gradient(loss, variables))

    (kernel,), (other,) = dense.kernels, active.kernels
    assert isinstance(other, kernels.StoredKernel)
    assert int(other.count()) == int(kernel.count())
    np.testing.assert_array_equal(other.mask, kernel.mask)
    np.testing.assert_array_equal(other.bits(), kernel.bits())
    np.testing.assert_array_equal(other.weights(), kernel.weights())
    assert (other.name, other.shape) == (kernel.name, kernel.shape)
    np.testing.assert_allclose(active(x), dense(x), atol=1e-5)
    assert active.output_shape == dense.output_shape
    of_dense, of_active = gradients
    np.testing.assert_allclose(of_active[0], of_dense[0], atol=1e-3)
    gradient = dataclasses.replace(other, variable=of_active[1]).weights()
    np.testing.assert_allclose(gradient, kernel.masked(of_dense[1]), atol=1e-3)
    for one, two in zip(of_dense[2:], of_active[2:], strict=True):
        np.testing.assert_allclose(two, one, atol=1e-3)
    assert rigl_tf.flops.inference(active) == rigl_tf.flops.inference(dense)
    assert str(rigl_tf.summary(active)) == str(rigl_tf.summary(dense))


@pytest.mark.few(3)
@cases
def test_it_is_saved_loaded_and_made_plain(layer, structure, tmp_path):
    input_shape, layer = layer
    model = sparse(input_shape, layer, "active", structure=structure)
    x = np.random.default_rng(0).normal(size=(3, *input_shape))

    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    plain = rigl_tf.densify(loaded)

    np.testing.assert_array_equal(loaded.predict(x), model.predict(x))
    np.testing.assert_allclose(plain.predict(x), model.predict(x), atol=1e-5)
    (kernel,) = model.kernels
    assert type(plain.get_layer("layer")) is type(layer())
    weight = np.array(plain.get_layer("layer").kernel)
    np.testing.assert_array_equal(weight, kernel.weights())
    assert np.count_nonzero(weight) == int(kernel.count())


@pytest.mark.parametrize(
    "structure", [None, Blocks(4, 5), Kernels2D()], ids=str
)
def test_other_masks_may_be_set(structure):
    input_shape, layer = LAYERS["3x3"]
    model, other = (
        sparse(input_shape, layer, storage, structure=structure, seed=seed)
        for storage, seed in (("active", 0), ("dense", 1))
    )
    (kernel,), (wanted,) = model.kernels, other.kernels
    before, mask = kernel.weights().numpy(), np.array(wanted.mask)

    model.set_masks({kernel.name: mask})

    np.testing.assert_array_equal(kernel.mask, mask)
    np.testing.assert_array_equal(kernel.weights(), before * mask)
    assert np.any(before[~mask]) and np.any(before[mask])


def test_nothing_of_kernel_size_is_stored():
    model = sparse((300,), kl.Dense(200), "active", 0.95)
    model.compile(keras.optimizers.Adam())

    shapes = [v.shape for v in model.variables + model.optimizer.variables]

    # Weights, positions and two moments; the bias and its moments.
    assert [s for s in shapes if s.rank] == [
        *[(3000,), (200,), (3000,)],
        *[(3000,), (3000,), (200,), (200,)],
    ]


def test_a_new_mask_keeps_the_weights_that_stay():
    model = sparse((6,), kl.Dense(5, name="layer"), "active", 0.5)
    (kernel,) = model.kernels
    before = kernel.weights().numpy()
    mask = np.zeros((6, 5), bool)
    mask[:3] = True

    model.set_masks({"layer": mask})

    np.testing.assert_array_equal(kernel.mask, mask)
    np.testing.assert_array_equal(kernel.weights(), np.where(mask, before, 0))
    with pytest.raises(ValueError, match="space for 15 .* mask with 30"):
        model.set_masks({"layer": np.ones((6, 5), bool)})


def test_half_precision_computes_in_single():
    keras.config.set_dtype_policy("mixed_float16")
    model = sparse((16,), kl.Dense(12), "active")

    y = model(np.ones((2, 16)))

    assert y.dtype == tf.float16
    assert model.kernels[0].variable.dtype == "float32"


def test_layers_may_be_stored_in_different_ways():
    network = keras.Sequential(
        [
            keras.Input((16,)),
            kl.Dense(30, name="first"),
            kl.Dense(30, name="second"),
            kl.Dense(4, name="last"),
        ]
    )

    model = rigl_tf.sparsify(
        network,
        RigL(),
        sparsity=0.5,
        distribution="uniform",
        storage={"second": "dense", "*": "active"},
    )

    kinds = {k.name: type(k).__name__ for k in model.kernels}
    assert kinds == {
        "first": "DenseKernel",  # which `uniform` leaves without zeros
        "second": "DenseKernel",
        "last": "ActiveKernel",
    }


def auto(algorithm=None, sparsity=0.9, **kwargs):
    """How kernels are stored of large layers and of small ones."""
    inputs = keras.Input((6, 6, 8))
    x = kl.Conv2D(256, 3, name="few")(inputs)
    x = kl.Conv2D(512, 3, name="window")(x)
    x = kl.Conv2D(2048, 1, name="large")(x)
    network = keras.Model(inputs, kl.Conv2D(20, 1, name="small")(x))
    model = rigl_tf.sparsify(
        network,
        algorithm or RigL(),
        sparsity=sparsity,
        distribution="uniform_all",
        storage="auto",
        **kwargs,
    )
    return {k.name: type(k).__name__ for k in model.kernels}


DENSE = dict.fromkeys(("few", "window", "large", "small"), "DenseKernel")
WINDOW = {"window": "ActiveKernel"}


def test_auto_stores_what_is_active_where_that_pays():
    for sparsity in (0.8, 0.9):
        stored = auto(sparsity=sparsity)
        assert stored == {**DENSE, **WINDOW, "large": "ActiveKernel"}
    for sparsity in (0.8, 0.9):
        stored = auto(sparsity=sparsity, structure=Blocks(32, 32))
        blocks = dict.fromkeys(("window", "large"), "BlockKernel")
        assert stored == {**DENSE, **blocks}
    stored = auto(sparsity=0.8, structure=Kernels2D())
    assert stored == {**DENSE, "window": "BlockKernel", "large": "ActiveKernel"}


@pytest.mark.parametrize(
    "kwargs",
    [
        {"sparsity": 0.7},
        {"algorithm": rigl_tf.algorithms.SNFS()},
        {"algorithm": rigl_tf.algorithms.GGR()},
        {"algorithm": rigl_tf.algorithms.GradualPruning()},
        {"structure": Filters()},
        {"structure": Blocks(1, 4)},
        {"structure": Blocks(24, 24)},  # which divide no layer's channels
    ],
)
def test_auto_stores_zeros_where_it_does_not_pay_or_cannot_be(kwargs):
    assert auto(**kwargs) == DENSE


def test_auto_asks_for_more_zeros_without_numba(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    assert auto(sparsity=0.9) == DENSE
    for structure in (None, Kernels2D()):
        stored = auto(sparsity=0.95, structure=structure)
        assert stored == {**DENSE, "large": "ActiveKernel"}


def test_whole_kernels_need_numba(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(TypeError, match="only numba multiplies whole k x k"):
        sparse(*LAYERS["3x3"], "active", structure=Kernels2D())


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            kl.EinsumDense("abcd,ed->abce", (8, 8, 5), name="layer"),
            "is not a product of two matrices",
        ),
        (
            kl.Conv2D(4, 1, kernel_constraint="max_norm", name="layer"),
            "its `kernel_constraint` wants to see",
        ),
        (
            kl.Conv2DTranspose(4, 1, name="layer"),
            "and this is a Conv2DTranspose",
        ),
    ],
)
def test_layers_that_need_their_kernel_are_named(layer, message):
    with pytest.raises(TypeError, match=message) as raised:
        sparse((8, 8, 6), layer, "active")

    assert "storage={'layer': 'dense', '*': 'active'}" in str(raised.value)


def test_blocks_of_groups_are_refused():
    with pytest.raises(TypeError, match="2 groups, which blocks do not know"):
        sparse(*GROUPS["groups"], "active", structure=Blocks(3, 2))


def test_parts_of_other_layers_are_not_taken_out():
    inputs = keras.Input((4, 6))
    outputs = kl.GroupQueryAttention(3, 2, 1)(inputs, inputs)

    with pytest.raises(TypeError, match="another layer .* is made of it"):
        rigl_tf.sparsify(
            keras.Model(inputs, outputs), RigL(), sparsity=0.5, storage="active"
        )


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"storage": "csr"}, "must be one of dense, active.*'csr'"),
        ({"storage": {"lyer": "active"}}, "lyer"),
        (
            {"structure": Filters()},
            "Only connections, `Blocks` and",
        ),
    ],
)
def test_what_cannot_be_stored_is_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        sparse((16,), kl.Dense(4), **{"storage": "active", **kwargs})


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("snfs", "stores a moving average for every connection"),
        ("deepr", "stores a sign for every connection"),
        (
            "movement_pruning",
            "MovementPruning stores a moving average for every connection",
        ),
        ("chts", "CHTs grows connections by the mask of a whole kernel"),
    ],
)
def test_algorithms_that_need_every_connection_are_refused(name, message):
    network = keras.Sequential([keras.Input((16,)), kl.Dense(4)])

    with pytest.raises(ValueError, match=message):
        rigl_tf.sparsify(
            network,
            rigl_tf.algorithms.get(name),
            sparsity=0.5,
            storage="active",
        )


def test_positions_that_are_none_are_refused(tmp_path):
    model = sparse((16,), kl.Dense(4, name="layer"), "active")
    (kernel,) = model.kernels
    for bad in (np.arange(13)[::-1], np.arange(13) * 5 - 1, np.zeros(13)):
        kernel.active.assign(bad.astype("int32"))
        model.save_weights(tmp_path / "bad.weights.h5")
        kernel.active.assign(np.arange(13))

        with pytest.raises(ValueError, match="from 0 to 63"):
            model.load_weights(tmp_path / "bad.weights.h5")


def test_it_multiplies_without_numba(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    for name in ("numba_csr_matmul", "numba_conv", "numba_block_conv"):
        monkeypatch.delitem(
            sys.modules, f"rigl_tf.kernels.ops.{name}", raising=False
        )
        monkeypatch.delattr(ops, name, raising=False)
    rng = np.random.default_rng(0)
    for name in ("dense", "3x2 with strides"):
        dense, active = (
            sparse(*LAYERS[name], storage) for storage in ("dense", "active")
        )
        (kernel,) = active.kernels
        x = rng.normal(size=(3, *LAYERS[name][0])).astype("float32")

        assert isinstance(kernel.layer.product, csr_matmul.Product)
        np.testing.assert_allclose(active(x), dense(x), atol=1e-5)
    with pytest.raises(TypeError, match="2 groups, .* pip install numba"):
        sparse(*GROUPS["groups"], "active")


def test_xla_is_refused_and_never_chosen():
    model = sparse((16,), kl.Dense(4), "active")

    with pytest.raises(ValueError, match="XLA"):
        model.compile("sgd", "mse", jit_compile=True)
    model.compile("sgd", "mse", jit_compile="auto")
    assert model.jit_compile is False
