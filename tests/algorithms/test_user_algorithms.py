"""Algorithms that users write run in every storage, with the same masks."""

import dataclasses
import pathlib

import keras
import nbformat
import numpy as np
import pytest
import tensorflow as tf

import rigl_tf
from rigl_tf import algorithms
from rigl_tf.algorithms import Algorithm
from rigl_tf.algorithms import redistribution
from rigl_tf.kernels import coo_kernel
from rigl_tf.sparsity import masks
from rigl_tf.sparsity import schedules
from rigl_tf.sparsity.structures import Blocks
from tests.kernels.test_active_training import assert_alike
from tests.kernels.test_active_training import trained
from tests.updates import STORAGES
from tests.updates import mask_after_update

NOTEBOOK = pathlib.Path(__file__).parents[2] / "colab/add_an_algorithm.ipynb"


def of_the_notebook():
    """The rule in the notebook, from its own cells."""
    names = {"__name__": "notebook"}
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        if cell.cell_type == "code" and "import" in cell.source:
            exec(cell.source, names)
        if "class SampledRigL" in cell.source:
            exec(cell.source, names)
            return names["SampledRigL"]()
    raise AssertionError("The notebook has no `SampledRigL`.")


@dataclasses.dataclass(frozen=True)
class GrowsAnywhere(Algorithm):
    """Draws numbers of each kind, and in two streams."""

    def grow(self, tile):
        return tile.uniform() + tile.uniform(stream=1) + 0.1 * tile.normal()


@dataclasses.dataclass(frozen=True)
class DropsAtRandom(Algorithm):
    """Draws for the connections that are stored, too, and for two parts."""

    def drop(self, view):
        return tf.cast(view.mask, tf.float32) * view.uniform()

    def grow(self, tile):
        return [tile.normal, lambda: tile.random(stream=2)]


@dataclasses.dataclass(frozen=True)
class DropsSmallWeights(Algorithm):
    """Counts depend on weights: all below a part of the mean are dropped."""

    needs_gradient = True

    def grow(self, tile):
        return tf.abs(tile.gradient)

    def num_drop(self, views, request):
        return [self._num_small(view) for view in views]

    def _num_small(self, view):
        size = tf.where(view.mask, tf.abs(view.weight), 0.0)
        mean = tf.reduce_sum(size) / tf.cast(masks.count(view.mask), tf.float32)
        return masks.count(view.mask & (size < 0.8 * mean))


@dataclasses.dataclass(frozen=True)
class SharesByBudget(Algorithm):
    """Layers that keep more of their own get more, in proportion to budgets."""

    needs_gradient = True

    def grow(self, tile):
        return tf.abs(tile.gradient)

    def redistribute(self, views, num_dropped, request):
        active = masks.count_each(view.mask for view in views)
        room = [v.size - a for v, a in zip(views, active, strict=True)]
        shares = [
            (1 - fraction) * tf.cast(budget, tf.float64)
            for fraction, budget in zip(
                request.fractions, request.budgets, strict=True
            )
        ]
        return redistribution.in_proportion(shares, tf.add_n(num_dropped), room)


@dataclasses.dataclass(frozen=True)
class WalksAtRandom(Algorithm):
    """Adds noise to the gradient in every step."""

    def grow(self, tile):
        return tile.random()

    def perturb(self, view, learning_rate):
        return 0.1 * view.normal() + 0.01


ALGORITHMS = [
    of_the_notebook(),
    GrowsAnywhere(),
    DropsAtRandom(),
    DropsSmallWeights(),
    SharesByBudget(),
    WalksAtRandom(),
]


@pytest.mark.few(1)
@pytest.mark.parametrize("structure", [None, Blocks(5, 4)], ids=str)
@pytest.mark.parametrize(
    "algorithm", ALGORITHMS, ids=lambda algorithm: type(algorithm).__name__
)
def test_masks_are_the_same_in_every_storage(
    algorithm, structure, data, monkeypatch
):
    monkeypatch.setattr(coo_kernel, "_TILE", 200)  # several in a kernel

    dense, active = (
        trained(stored, algorithm, data, steps=80, structure=structure)
        for stored in ("dense", "active")
    )

    assert int(active.num_updates) == 4
    assert int(active.num_changed) > 0
    assert_alike(dense, active)


def test_noise_stays_out_of_what_is_not_a_connection(data):
    """Blocks at the edge reach beyond the kernels, of 16 x 30 and 30 x 5."""
    model = trained(
        "active", WalksAtRandom(), data, steps=20, structure=Blocks(5, 4)
    )

    for kernel in model.kernels:
        stored = np.count_nonzero(kernel.variable)
        assert stored == np.count_nonzero(kernel.weights())


def test_an_algorithm_that_tracks_gradients_must_say_how(data):
    @dataclasses.dataclass(frozen=True)
    class TracksNothing(GrowsAnywhere):
        tracks_gradient = True

    with pytest.raises(NotImplementedError, match="must override `track`"):
        trained("dense", TracksNothing(), data, steps=20)


@dataclasses.dataclass(frozen=True)
class DividesByZero(Algorithm):
    """Has NaN where it compares nothing, and elsewhere if `method` says so."""

    method: str = ""

    def drop(self, view):
        is_wrong = view.mask if self.method == "drop" else ~view.mask
        return tf.where(is_wrong, float("nan"), tf.abs(view.weight))

    def grow(self, tile):
        is_wrong = ~tile.mask if self.method == "grow" else tile.mask
        return tf.where(is_wrong, float("nan"), tile.uniform())


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("stored", "method"),
    [
        ("dense", "drop"),
        ("dense", "grow"),
        ("active", "grow"),
        ("active", "drop"),
    ],
)
def test_a_score_that_is_no_number_is_refused(stored, method, data):
    with pytest.raises(
        tf.errors.InvalidArgumentError,
        match=f"`DividesByZero.{method}` must return numbers. Received: NaN",
    ):
        trained(stored, DividesByZero(method), data, steps=20, run_eagerly=True)
    model = trained(stored, DividesByZero(), data, steps=20, run_eagerly=True)
    assert int(model.num_updates) == 1


class GrowsByGradient(Algorithm):
    def grow(self, tile):
        return tf.abs(tile.gradient)


class DropsByMomentum(Algorithm):
    def drop(self, view):
        return view.momentum * 2.0

    def grow(self, tile):
        return tile.uniform()


@pytest.mark.parametrize("stored", ["dense", "active"])
@pytest.mark.parametrize(
    ("algorithm", "problem"),
    [
        (GrowsByGradient(), "Gradient.grow. uses.*`needs_gradient = True`"),
        (DropsByMomentum(), "Momentum.drop. uses.*`needs_momentum = True`"),
    ],
    ids=["grow", "drop"],
)
def test_what_an_algorithm_does_not_declare_is_named(
    stored, algorithm, problem, data
):
    with pytest.raises(TypeError, match=problem):
        trained(stored, algorithm, data, steps=20, run_eagerly=True)


def test_a_class_of_a_users_name_does_not_replace_that_of_the_library():
    saved = keras.saving.serialize_keras_object(algorithms.RigL())

    @dataclasses.dataclass(frozen=True)
    class RigL(algorithms.RigL):
        pass

    both = [
        keras.saving.deserialize_keras_object(each)
        for each in (saved, keras.saving.serialize_keras_object(RigL()))
    ]
    assert [type(each) for each in both] == [algorithms.RigL, RigL]


def test_arguments_that_would_not_be_saved_are_refused():
    with pytest.raises(TypeError, match="Plain.__init__ would not be saved"):

        class Plain(algorithms.SET):
            def __init__(self, power):
                del power


@pytest.mark.few(1)
@pytest.mark.parametrize("stored", ["dense", "active"])
@pytest.mark.parametrize(
    "algorithm",
    [GrowsAnywhere(), of_the_notebook(), algorithms.SET()],
    ids=lambda algorithm: type(algorithm).__name__,
)
def test_random_choices_do_not_repeat_from_tile_to_tile(
    algorithm, stored, monkeypatch
):
    rows, width = 4, 64
    monkeypatch.setattr(coo_kernel, "_TILE", rows * width)
    network = keras.Sequential(
        [keras.Input((width,)), keras.layers.Dense(width, use_bias=False)]
    )
    model = rigl_tf.sparsify(
        network,
        algorithm,
        sparsity=0.9,
        schedule=schedules.UpdateSchedule(2, end_step=3),
        drop_fraction=schedules.Constant(1.0),
        storage=stored,
    )
    model.compile(keras.optimizers.SGD(0.0), "mse")
    before = np.array(model.kernels[0].mask)
    # All connections have gradients of one size, so that chance decides.
    x = np.ones((3, width), "float32")
    model.fit(x, 100 * x, batch_size=1, verbose=0)

    tiles = np.array(model.kernels[0].mask).reshape(-1, rows * width)

    assert np.any(np.array(model.kernels[0].mask) != before)
    # A tenth is active. Of 15 pairs of tiles with 26 each, about 40 positions
    # are active in both by chance, and all 384 if numbers repeated.
    repeated = np.sum(tiles[1:] & tiles[:-1])
    assert len(tiles) == 16
    assert repeated < 80


def test_a_drop_fraction_of_a_layer_is_seen_by_the_algorithm(data):
    x, y = data
    network = keras.Sequential(
        [
            keras.Input((16,)),
            keras.layers.Dense(30, activation="tanh", name="first"),
            keras.layers.Dense(5, name="second"),
        ]
    )
    model = rigl_tf.sparsify(
        network,
        algorithms.SET(),
        sparsity=0.7,
        schedule=schedules.UpdateSchedule(1, end_step=2),
        drop_fraction={
            "first": schedules.Constant(0.0),
            "*": schedules.Constant(0.5),
        },
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(True))
    before = [np.array(kernel.mask) for kernel in model.kernels]

    model.fit(x, y, batch_size=100, verbose=0)

    first, second = (np.array(kernel.mask) for kernel in model.kernels)
    np.testing.assert_array_equal(first, before[0])
    assert np.any(second != before[1])
    assert first.sum() + second.sum() == sum(model.budgets)


def test_a_redistribution_sees_the_fractions_and_budgets(data):
    widths = {"one": 20, "two": 5, "three": 60}
    dense = [keras.layers.Dense(n, name=name) for name, n in widths.items()]
    model = rigl_tf.sparsify(
        keras.Sequential([keras.Input((16,)), *dense]),
        SharesByBudget(),
        sparsity=0.9,
        schedule=schedules.UpdateSchedule(2, end_step=3),
        drop_fraction={
            "one": schedules.Constant(1.0),
            "t*": schedules.Constant(0.0),
        },
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(True))
    one, two, three = model.budgets

    model.fit(*data, batch_size=70, verbose=0)

    # The first layer keeps its last connection, and has no share.
    moved = one - 1
    grown = [int(kernel.count()) for kernel in model.kernels]
    expected = two + moved * two / (two + three)
    assert grown[0] == 1
    assert abs(grown[1] - expected) < 1
    assert sum(grown) == one + two + three


@pytest.mark.parametrize("stored", STORAGES)
@pytest.mark.parametrize("method", ["drop", "grow"])
def test_scores_of_another_shape_than_the_mask_are_refused(method, stored):
    class SumsScores(algorithms.Algorithm):
        def grow(self, tile):
            return tile.uniform()

    setattr(SumsScores, method, lambda self, view: tf.zeros([1, 7]))

    with pytest.raises(ValueError, match=rf"`{method}` of .* shape \(1, 7\)"):
        mask_after_update(
            SumsScores(),
            weight=[1.0, 2.0, 0.0, 0.0],
            mask=[1, 1, 0, 0],
            num=1,
            stored=stored,
        )
