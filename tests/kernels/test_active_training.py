"""Training with stored connections, beside training with dense kernels."""

import dataclasses

import keras
import numpy as np
import pytest

import rigl_tf
from rigl_tf import algorithms
from rigl_tf.kernels import StoredKernel
from rigl_tf.kernels import coo_kernel
from rigl_tf.modeling.grow_init import GrowInit
from rigl_tf.sparsity import schedules
from rigl_tf.sparsity.structures import Blocks
from rigl_tf.sparsity.structures import Kernels2D
from rigl_tf.utils import optimizer_slots

STEPS = 200
# Others need something for every connection, and are refused.
NAMES = [
    name
    for name, kind in algorithms.ALGORITHMS.items()
    if not kind.tracks_gradient
    and not kind.fixes_signs
    and not kind.needs_whole_kernel
]


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    """So that kernels have several, the last one not full."""
    monkeypatch.setattr(coo_kernel, "_TILE", 200)


def trained(
    storage,
    algorithm,
    data,
    grow_init=None,
    steps=STEPS,
    structure=None,
    layers=None,
    **kwargs,
):
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        layers()
        if layers
        else [
            keras.Input((16,)),
            keras.layers.Dense(30, activation="tanh"),
            keras.layers.Dense(5),
        ]
    )
    model = rigl_tf.sparsify(
        network,
        algorithm,
        sparsity=0.7,
        schedule=schedules.UpdateSchedule(19, end_step=STEPS),
        grow_init=grow_init,
        structure=structure,
        storage=storage,
    )
    model.compile(
        keras.optimizers.SGD(0.1, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        **kwargs,
    )
    model.fit(
        *data, batch_size=20, epochs=steps // 10, shuffle=False, verbose=0
    )
    return model


def convolutions():
    return [
        keras.Input((16,)),
        keras.layers.Reshape((4, 4, 1)),
        keras.layers.Conv2D(6, 3, padding="same", activation="tanh"),
        keras.layers.Conv2D(8, (2, 3), groups=2, activation="tanh"),
        keras.layers.Conv2D(8, 2, strides=2, padding="same"),
        keras.layers.Flatten(),
        keras.layers.Dense(5),
    ]


def assert_alike(dense, active, atol=1e-4):
    for kernel, other in zip(dense.kernels, active.kernels, strict=True):
        np.testing.assert_array_equal(other.mask, kernel.mask)
        np.testing.assert_allclose(other.weights(), kernel.weights(), atol=atol)
        here = optimizer_slots.of(dense.optimizer, kernel.variable)
        there = optimizer_slots.of(active.optimizer, other.variable)
        assert isinstance(other, StoredKernel)
        for slot, stored in zip(here, there, strict=True):
            dense_slot = dataclasses.replace(other, variable=stored).weights()
            np.testing.assert_allclose(dense_slot, slot, atol=atol)
            assert np.count_nonzero(stored) == np.count_nonzero(slot)
    assert int(active.num_changed) == int(dense.num_changed)


@pytest.mark.few(1)
@pytest.mark.parametrize("name", NAMES)
def test_masks_are_those_of_dense_kernels(name, data):
    dense, active = (
        trained(storage, algorithms.get(name), data)
        for storage in ("dense", "active")
    )

    assert int(active.num_updates) == int(dense.num_updates)
    assert int(active.num_updates) == (name != "static") * 10
    assert_alike(dense, active)


def alike(number):
    """Layers of one shape, whose updates share a trace."""
    hidden = [keras.layers.Dense(16, activation="tanh") for _ in range(number)]
    return [keras.Input((16,)), *hidden, keras.layers.Dense(5)]


@pytest.mark.few(1)
@pytest.mark.parametrize("name", ["rigl_sm", "set", "rigl"])
def test_layers_of_one_shape_have_masks_of_their_own(name, data):
    dense, active = (
        trained(storage, algorithms.get(name), data, layers=lambda: alike(3))
        for storage in ("dense", "active")
    )

    assert_alike(dense, active)


def test_updates_of_layers_of_one_shape_are_traced_once(data):
    calls = []

    class Counts(algorithms.RigL):
        def grow(self, tile):
            calls.append(tile)
            return super().grow(tile)

    counts = []
    for number in (1, 4):
        calls.clear()
        trained(
            "active", Counts(), data, steps=20, layers=lambda n=number: alike(n)
        )
        counts.append(len(calls))

    # Another number of connections takes one more trace, not one for each.
    assert counts[1] <= 1.5 * counts[0]


@pytest.mark.few(1)
@pytest.mark.parametrize("name", NAMES)
def test_masks_of_convolutions_are_those_of_dense_kernels(name, data):
    dense, active = (
        trained(storage, algorithms.get(name), data, layers=convolutions)
        for storage in ("dense", "active")
    )

    assert_alike(dense, active)


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("name", "blocks"),
    [
        ("rigl", Blocks(5, 4)),
        ("rigl", Blocks(8, 8)),  # multiplied by numba
        ("set", Blocks(5, 4)),
        ("ggr", Blocks(5, 4)),
        ("rigl_sm", Blocks(5, 4)),
        ("gradual_pruning", Blocks(5, 4)),
    ],
    ids=str,
)
def test_blocks_are_those_of_dense_kernels(name, blocks, data):
    """Some reach beyond the kernels, of 16 x 30 and 30 x 5."""
    dense, active = (
        trained(storage, algorithms.get(name), data, structure=blocks)
        for storage in ("dense", "active")
    )

    assert int(active.num_updates) == 10
    assert_alike(dense, active)


@pytest.mark.few(1)
@pytest.mark.parametrize("name", ["rigl", "set", "ggr", "gradual_pruning"])
def test_whole_kernels_are_those_of_dense_kernels(name, data):
    dense, active = (
        trained(
            storage,
            algorithms.get(name),
            data,
            structure=Kernels2D(),
            layers=convolutions,
        )
        for storage in ("dense", "active")
    )

    assert int(active.num_updates) == 10
    assert_alike(dense, active)


@pytest.mark.slow
def test_blocks_are_compiled_by_xla(data):
    plain, compiled = (
        trained(
            "active",
            algorithms.RigL(),
            data,
            steps=40,
            structure=Blocks(5, 4),
            jit_compile=jit_compile,
        )
        for jit_compile in (False, True)
    )

    assert compiled.jit_compile
    for one, two in zip(plain.variables, compiled.variables, strict=True):
        np.testing.assert_allclose(two, one, atol=1e-5)


@pytest.mark.few(1)
@pytest.mark.parametrize("structure", [None, Blocks(5, 4)], ids=str)
def test_new_connections_start_alike(structure, data):
    dense, active = (
        trained(
            storage,
            algorithms.RigL(),
            data,
            GrowInit("gradient", scale=-0.1),
            40,
            structure,
        )
        for storage in ("dense", "active")
    )

    assert_alike(dense, active)
    assert int(active.num_changed) > 0


@pytest.mark.few(1)
@pytest.mark.parametrize("kind", ["random", "initial"])
def test_new_connections_do_not_start_with_zero(kind, data):
    model = trained(
        "active", algorithms.RigL(), data, GrowInit(kind, scale=0.1), 40
    )

    for kernel in model.kernels:
        values = np.array(kernel.variable)
        assert np.all(values[: int(kernel.count())])
        assert np.all(np.isfinite(values))


@pytest.mark.slow
def test_scores_by_name_see_what_dense_kernels_show(data):
    """Also what was just dropped, which still has its weight."""
    algorithm = algorithms.Rewire("random", ("saliency", "momentum", "random"))

    dense, active = (
        trained(storage, algorithm, data, steps=100)
        for storage in ("dense", "active")
    )

    assert_alike(dense, active)


@pytest.mark.few(1)
@pytest.mark.parametrize(
    "kwargs", [{"steps_per_execution": 5}, {"run_eagerly": True}], ids=str
)
def test_it_trains_in_other_loops(kwargs, data):
    usual = trained("active", algorithms.RigL(), data, steps=40)
    other = trained("active", algorithms.RigL(), data, steps=40, **kwargs)

    for one, two in zip(usual.variables, other.variables, strict=True):
        np.testing.assert_allclose(two, one, atol=1e-5)


def test_half_precision_finds_the_same_connections(data):
    keras.config.set_dtype_policy("mixed_float16")

    dense, active = (
        trained(storage, algorithms.RigL(), data, steps=40)
        for storage in ("dense", "active")
    )

    for kernel, other in zip(dense.kernels, active.kernels, strict=True):
        same = np.array(kernel.mask) == np.array(other.mask)
        assert same.mean() > 0.99  # sums are more exact here


def test_training_goes_on_after_loading(data, tmp_path):
    whole = trained("active", algorithms.RigL(), data, steps=80)
    half = trained("active", algorithms.RigL(), data, steps=50)

    half.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    loaded.fit(*data, batch_size=20, epochs=3, shuffle=False, verbose=0)

    for one, two in zip(whole.variables, loaded.variables, strict=True):
        np.testing.assert_array_equal(two, one)


def test_a_step_that_is_not_finite_changes_nothing(data):
    model = trained("active", algorithms.RigL(), data, steps=40)
    before = [np.array(v) for v in model.network.variables]
    x = data[0].copy()
    x[::20] = np.nan

    with pytest.warns(UserWarning, match="10 of 10 steps were skipped"):
        model.fit(x, data[1], batch_size=20, epochs=1, shuffle=False, verbose=0)

    for variable, value in zip(model.network.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_nan_in_an_input_without_connections_skips_the_step():
    """The dense gradient, which growth goes by, is not finite."""
    mask = np.ones((4, 2), bool)
    mask[0] = False
    model = rigl_tf.sparsify(
        keras.Sequential(
            [keras.Input((4,)), keras.layers.Dense(2, name="layer")]
        ),
        algorithms.RigL(),
        sparsity=0.25,
        schedule=schedules.UpdateSchedule(2, end_step=9),
        masks={"layer": mask},
        storage="active",
    )
    model.compile("sgd", "mse", run_eagerly=True)
    x = np.ones((3, 4), "float32")
    x[1, 0] = np.nan

    model.train_on_batch(x, np.ones((3, 2), "float32"))

    assert int(model.num_skipped) == 1
