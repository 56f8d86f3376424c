"""Groups of connections keep their number: N:M, and constant fan-in."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from keras import layers as kl

import rigl_tf
from rigl_tf.sparsity import kernel_layout
from rigl_tf.sparsity import structures
from rigl_tf.sparsity.structures import groups

DENSE = kernel_layout.layout_for(kl.Dense(1), (8, 1))
FAN_IN = kernel_layout.layout_for(kl.Dense(3), (4, 3))


def column(*values):
    return np.array(values)[:, None]


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=20))
@settings(deadline=None, derandomize=True)
def test_places_are_those_of_a_stable_sort(values):
    order = sorted(range(len(values)), key=lambda i: -values[i])

    found = groups.ranks(tf.constant([values])).numpy()

    assert [list(found[0]).index(i) for i in range(len(values))] == order


@pytest.mark.parametrize(
    "units", [structures.NM(1, 2), structures.ConstantFanIn()], ids=str
)
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (kl.Dense(5), (6, 5)),
        (kl.Conv2D(3, 2), (2, 2, 4, 3)),
        (kl.Conv2DTranspose(3, 2), (2, 2, 3, 4)),
    ],
)
def test_grouping_can_be_undone(units, layer, shape):
    kind = kernel_layout.layout_for(layer, shape)
    values = np.arange(np.prod(shape)).reshape(shape)

    grouped = units.to_groups(tf.constant(values), kind)

    np.testing.assert_array_equal(units.from_groups(grouped, kind), values)


def test_consecutive_inputs_of_an_output_are_a_group():
    kind = kernel_layout.layout_for(kl.Conv2D(3, 2), (2, 2, 4, 3))
    kernel = np.zeros(kind.kernel_shape, int)
    kernel[1, 0, 2:, 1] = [5, 6]

    grouped = structures.NM(1, 2).to_groups(tf.constant(kernel), kind).numpy()

    assert [5, 6] in grouped.reshape(-1, 2).tolist()


def test_a_group_grows_what_it_has_lost():
    nm = structures.NM(2, 4)
    before = column(1, 1, 0, 0, 1, 1, 0, 0) > 0
    after = column(0, 0, 0, 0, 1, 1, 0, 0) > 0
    scores = column(1.0, 2, 3, 4, 9, 9, 9, 9)  # the other group's are higher

    grown = nm.grow(before, after, scores, tf.constant(2), DENSE)

    np.testing.assert_array_equal(grown, column(0, 0, 1, 1, 1, 1, 0, 0) > 0)


def test_several_scores_share_the_growth_of_a_group():
    nm = structures.NM(2, 4)
    before = column(1, 1, 0, 0, 1, 1, 0, 0) > 0
    after = column(0, 0, 0, 0, 1, 1, 0, 0) > 0
    scores = [lambda: column(9.0, 1, 1, 1, 1, 1, 1, 1)]
    scores += [lambda: column(8.0, 1, 2, 3, 9, 9, 9, 9)]

    grown = nm.grow(before, after, scores, tf.constant(2), DENSE)

    np.testing.assert_array_equal(grown, column(1, 0, 0, 1, 1, 1, 0, 0) > 0)


def test_pruning_leaves_the_strongest_of_each_group():
    scores = column(4.0, 3, 2, 1, 40, 30, 20, 10)
    mask = column(1, 0, 1, 1, 1, 1, 1, 1) > 0

    found = structures.NM(2, 4).protect(scores, mask, DENSE).numpy()

    np.testing.assert_array_equal(
        np.isinf(found), column(1, 0, 1, 0, 1, 1, 0, 0) > 0
    )


def test_a_neuron_that_would_lose_its_inputs_is_ablated():
    before = np.zeros((4, 3), bool)
    before[:2] = True  # a fan-in of 2
    after = before.copy()
    after[:2, 2] = False  # the two smallest are in one neuron
    scores = np.zeros((4, 3))
    scores[2:, 0] = [1, 2]  # RigL would give both to the first
    scores[3, 1] = 0.5

    units = structures.ConstantFanIn(ablation=0.3)
    grown = units.grow(before, after, scores, tf.constant(2), FAN_IN).numpy()

    np.testing.assert_array_equal(
        grown, [[1, 1, 0], [1, 1, 0], [0, 0, 0], [1, 1, 0]]
    )  # 6 connections: 3 each
    again = units.grow(grown, grown & False, scores, tf.constant(6), FAN_IN)
    assert np.sum(again, axis=0).tolist() == [3, 3, 0]


def test_a_neuron_with_just_the_fraction_of_the_fan_in_stays():
    before = np.zeros((4, 3), bool)
    before[:2] = True
    after = before.copy()
    after[1, 2] = False  # leaves the third neuron one of two
    scores = np.zeros((4, 3))
    scores[2, 0] = 1

    units = structures.ConstantFanIn(ablation=0.5)
    grown = units.grow(before, after, scores, tf.constant(1), FAN_IN).numpy()

    assert np.sum(grown, axis=0).tolist() == [2, 2, 2]


def test_without_ablation_every_neuron_has_its_fan_in_again():
    before = np.zeros((4, 3), bool)
    before[:2] = True
    after = before.copy()
    after[:2, 2] = False
    scores = np.arange(12.0).reshape(4, 3)

    units = structures.ConstantFanIn()
    grown = units.grow(before, after, scores, tf.constant(2), FAN_IN).numpy()

    np.testing.assert_array_equal(
        grown, [[1, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, 1]]
    )


def test_as_many_neurons_stay_as_the_connections_need():
    before = np.ones((4, 3), bool)
    before[3, 0] = False  # 11 connections need three neurons
    units = structures.ConstantFanIn(ablation=0.9)

    grown = units.grow(
        before, before & False, np.ones((4, 3)), tf.constant(11), FAN_IN
    ).numpy()

    assert np.sum(grown, axis=0).tolist() == [3, 3, 3]


def network():
    inputs = keras.Input((16,))
    x = kl.Reshape((4, 4, 1))(inputs)
    x = kl.Conv2D(8, 3, padding="same", activation="relu", name="first")(x)
    x = kl.Conv2D(8, 3, activation="relu")(x)
    x = kl.Dense(16, activation="relu")(kl.Flatten()(x))
    return keras.Model(inputs, kl.Dense(2, name="logits")(x))


def trained(data, algorithm, units, **kwargs):
    model = rigl_tf.sparsify(
        network(),
        rigl_tf.algorithms.get(algorithm),
        distribution="uniform_all",
        schedule=rigl_tf.schedules.UpdateSchedule(2, end_step=10),
        exclude=["first", "logits"],
        structure=units,
        **kwargs,
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(True))
    model.fit(*data, epochs=2, verbose=0)
    return model


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("n", "m", "sparsity"), [(2, 4, 0.5), (1, 8, 0.875), (3, 4, 0.25)]
)
@pytest.mark.parametrize(
    "algorithm", ["static", "set", "rigl", "deepr", "gradual_pruning"]
)
def test_n_of_every_m_stay_active(algorithm, n, m, sparsity, data):
    units = structures.NM(n, m)
    model = trained(data, algorithm, units, sparsity=sparsity)

    for kernel in model.kernels:
        counts = units.count(tf.convert_to_tensor(kernel.mask), kernel.layout)
        assert set(np.ravel(counts)) == {n}
        assert np.count_nonzero(kernel.weights()) <= np.sum(counts)
    if algorithm in ("set", "rigl"):
        assert int(model.num_changed) > 0


@pytest.mark.few(1)
@pytest.mark.parametrize("algorithm", ["set", "rigl"])
@pytest.mark.parametrize("ablation", [0.0, 0.5])
def test_the_neurons_that_are_left_have_one_fan_in(algorithm, ablation, data):
    units = structures.ConstantFanIn(ablation)
    model = trained(data, algorithm, units, sparsity=0.8)

    for kernel, budget in zip(model.kernels, model.budgets, strict=True):
        counts = np.ravel(
            units.count(tf.convert_to_tensor(kernel.mask), kernel.layout)
        )
        alive = np.count_nonzero(counts)
        assert set(counts) - {0} == {budget // alive}
        assert ablation or alive == len(counts)
    assert int(model.num_changed) > 0


def test_a_dense_kernel_needs_no_groups():
    layout = kernel_layout.layout_for(kl.Dense(2), (3, 2))
    kernel = types.SimpleNamespace(name="first", layout=layout)

    assert structures.NM(2, 4).budgets([kernel], [6]) == [6]
    with pytest.raises(ValueError, match="3 inputs of 'first' .* groups of 4"):
        structures.NM(2, 4).budgets([kernel], [3])


def test_a_model_with_groups_is_loaded_as_it_was(data, tmp_path):
    model = trained(data, "rigl", structures.NM(2, 4), sparsity=0.5)
    model.save(tmp_path / "model.keras")

    loaded = keras.saving.load_model(tmp_path / "model.keras")

    assert loaded.structure == structures.NM(2, 4)


@pytest.mark.parametrize(
    ("kwargs", "says"),
    [
        ({"sparsity": 0.6}, "2 of every 4 connections .* sparsity=0.5"),
        ({"units": structures.NM(2, 5), "sparsity": 0.6}, "groups of 5"),
        ({"algorithm": "snfs"}, "SNFS changes the number"),
        ({"algorithm": "ggr"}, "GGR changes the number"),
        ({"storage": "active"}, "cannot be stored|can be stored"),
        (
            {
                "algorithm": "gradual_pruning",
                "units": structures.ConstantFanIn(),
            },
            "GradualPruning changes",
        ),
    ],
)
def test_what_cannot_be_grouped_is_refused(kwargs, says, data):
    kwargs = {"algorithm": "rigl", "units": structures.NM()} | kwargs
    with pytest.raises(ValueError, match=says):
        trained(data, **({"sparsity": 0.5} | kwargs))


@pytest.mark.parametrize(
    ("n", "m", "name"), [(0, 4, "n"), (4, 4, "n"), (1, 1, "m"), (1.0, 4, "n")]
)
def test_n_and_m_are_checked(n, m, name):
    with pytest.raises(ValueError, match=f"`{name}`"):
        structures.NM(n, m)


@pytest.mark.parametrize("ablation", [-0.1, 1.0, float("nan")])
def test_ablation_is_a_fraction(ablation):
    with pytest.raises(ValueError, match="`ablation`"):
        structures.ConstantFanIn(ablation)


def test_a_layer_with_fewer_connections_than_neurons_is_refused():
    with pytest.raises(ValueError, match="16 outputs of 'wide'.* 13 conn"):
        rigl_tf.sparsify(
            keras.Sequential(
                [keras.Input((8,)), kl.Dense(16, name="wide"), kl.Dense(1)]
            ),
            "rigl",
            sparsity=0.9,
            distribution="uniform_all",
            structure=structures.ConstantFanIn(),
        )
