"""One update of several kernels, by the function that training calls."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

import rigl_tf
from rigl_tf import algorithms
from rigl_tf.algorithms import Request
from rigl_tf.kernels import UpdateInputs
from rigl_tf.modeling.sparse_wrapper import Sparse
from rigl_tf.sparsity import structures
from tests import updates
from tests.updates import counts_after_update
from tests.updates import mask_after_update


@pytest.mark.parametrize("stored", ["dense", "active"])
def test_ggr_counts_what_was_just_dropped_among_the_candidates(stored):
    """It has the largest gradient of all here."""
    first = {
        "weight": [0.1, 1.0, 0, 0],
        "mask": [1, 1, 0, 0],
        "gradient": [9.0, 0, 0.1, 0.2],
    }
    second = {
        "weight": [1.0, 0.1, 0, 0],
        "mask": [1, 1, 0, 0],
        "gradient": [0, 0.3, 0.5, 0.6],
    }

    counts = counts_after_update(algorithms.GGR(), [first, second], stored)

    assert counts == [2, 2]  # 9 and 0.6 grow; without what was dropped, [1, 3]


def test_layers_share_by_the_mean_of_what_the_drop_has_left():
    first = {
        "weight": [0.1, 1.0, 0, 0],
        "mask": [1, 1, 0, 0],
        "gradient": [99.0, 1, 0, 0],  # a mean of 1, and before the drop of 50
    }
    second = {
        "weight": [1.0, 0.1, 0, 0],
        "mask": [1, 1, 0, 0],
        "gradient": [9.0, 9, 0, 0],
    }

    counts = counts_after_update(algorithms.RigLSG(), [first, second])

    assert counts == [1, 3]


@pytest.mark.few(3)
@pytest.mark.parametrize("name", ["ggr", "rigl_sg", "rigl_sm", "snfs"])
def test_without_any_gradient_layers_keep_what_they_dropped(name):
    layers = [
        {
            "weight": np.arange(1.0, size + 1),
            "mask": np.arange(size) < 4,
            "gradient": np.zeros(size),
            "momentum": np.zeros(size),
        }
        for size in (90, 8, 30)
    ]

    assert counts_after_update(algorithms.get(name), layers) == [4, 4, 4]


def test_ggr_shares_by_gradient_as_far_as_there_are_gradients():
    dead = {
        "weight": np.arange(1.0, 91),
        "mask": np.arange(90) < 8,
        "gradient": np.zeros(90),
    }
    live = {**dead, "gradient": [*np.zeros(88), 0.1, 0.2]}

    # Each drops four. Two of the eight go by gradient, six are shared.
    counts = counts_after_update(algorithms.GGRSET(), [dead, live])

    assert counts == [4 + 3, 4 + 5]


def test_ggr_shares_by_room_what_gradients_leave():
    small = {
        "weight": [1.0, 0.9, 0.2, 0.1],
        "mask": [1, 1, 1, 1],
        "gradient": [0, 0, 0.5, 0.5],
    }
    large = {
        "weight": np.arange(1.0, 21),
        "mask": np.arange(20) < 4,
        "gradient": np.zeros(20),
    }

    # Each drops two. Two of the four go by gradient and fill the small one.
    assert counts_after_update(algorithms.GGR(), [small, large]) == [4, 4]


def test_stored_connections_grow_until_the_kernel_is_full():
    after = mask_after_update(
        updates.Given(num_dropped=1, num_grown=9),
        weight=[0.5, 0.4, 0.3, 0, 0, 0],
        mask=[1, 1, 1, 0, 0, 0],
        num=1,
        stored="active",
    )

    assert np.all(after)


STRUCTURES = [
    structures.Kernels2D(),
    structures.Filters(),
    structures.Blocks(7, 3),  # with smaller ones at all edges
]
SHARING = [
    name
    for name, kind in algorithms.ALGORITHMS.items()
    if kind().moves_between_layers and not kind.follows_sparsity
]
CASES = [
    *((name, STRUCTURES[0]) for name in SHARING),
    # One of each way to share.
    *((n, u) for n in ("rigl_sg", "dsr", "ggr") for u in STRUCTURES[1:]),
]


def kernels_of(units, density, rng):
    """Three kernels of Conv2D and Dense with random masks of whole units."""
    kernels, budgets = [], []
    for layer, shape in (
        (kl.Conv2D(8, 3), (None, 9, 9, 5)),
        (kl.Dense(20), (None, 32)),
        (kl.Dense(10), (None, 20)),
    ):
        layer.build(shape)
        sparse = Sparse(layer)
        (kernel,) = sparse.kernels
        size = np.prod(units.shape(kernel.layout))
        budgets.append(max(round(density * size), 1))
        mask = np.zeros(size, bool)
        mask[rng.permutation(size)[: budgets[-1]]] = True
        mask = tf.constant(mask.reshape(units.shape(kernel.layout)))
        sparse.set_masks([np.array(units.expand(mask, kernel.layout))])
        kernels.append(kernel)
    return kernels, budgets


def active(kernels):
    return sum(int(kernel.count()) for kernel in kernels)


@pytest.mark.few(2)
@pytest.mark.parametrize(("name", "units"), CASES, ids=str)
def test_layers_that_share_units_keep_to_the_connections_asked_for(name, units):
    rng = np.random.default_rng(0)
    kernels, budgets = kernels_of(units, 0.4, rng)
    asked = int(units.connections_in(kernels, budgets))
    largest = [np.max(units.sizes(kernel.layout)) for kernel in kernels]
    state = {"threshold": tf.constant(0.1)}
    before = [int(kernel.count()) for kernel in kernels]

    for step in (1, 2):
        inputs = [
            UpdateInputs(
                *tf.random.stateless_normal(
                    (2, *kernel.kernel_shape), (step, i)
                )
                * 10.0**i
            )
            for i, kernel in enumerate(kernels)
        ]
        request = Request([0.3] * 3, budgets, state)
        _, state = updates.move(
            kernels, inputs, algorithms.get(name), request, units, step=step
        )

        assert asked - sum(largest) < active(kernels) <= asked
    assert before != [int(kernel.count()) for kernel in kernels]


def test_a_full_layer_grows_back_the_units_that_it_dropped():
    units = structures.Kernels2D()
    kernels, budgets = kernels_of(units, 0.4, np.random.default_rng(0))
    full, *others = kernels
    full.set_mask(np.ones(full.kernel_shape, bool))
    budgets[0] = np.prod(units.shape(full.layout))
    gradients = [
        tf.ones(full.kernel_shape),
        *(tf.zeros(kernel.kernel_shape) for kernel in others),
    ]

    updates.move(
        kernels,
        [UpdateInputs(gradient) for gradient in gradients],
        algorithms.RigLSG(),
        Request([0.3] * 3, budgets, {}),
        units,
    )

    assert int(full.count()) == full.size


@pytest.mark.parametrize(
    "algorithm",
    [
        algorithms.GradualPruning("global"),
        algorithms.GraNet(),
        algorithms.ACDC(),
    ],
    ids=str,
)
@pytest.mark.parametrize("units", STRUCTURES, ids=str)
def test_global_pruning_ends_with_the_connections_asked_for(units, algorithm):
    rng = np.random.default_rng(0)
    kernels, _ = kernels_of(units, 1.0, rng)
    budgets = [
        tf.constant(0.4 * np.prod(units.shape(kernel.layout)), tf.int64)
        for kernel in kernels
    ]
    asked = int(units.connections_in(kernels, budgets))
    largest = [np.max(units.sizes(kernel.layout)) for kernel in kernels]

    updates.move(
        kernels,
        [UpdateInputs(tf.ones(kernel.kernel_shape)) for kernel in kernels],
        algorithm,
        Request([0.3 * algorithm.regrows] * 3, budgets, {}),
        units,
    )

    assert abs(asked - active(kernels)) < sum(largest)
    if units.unequal_sizes(kernels[:1]) is None:  # no smaller ones at edges
        assert active(kernels) <= asked


def test_global_magnitudes_choose_the_connections_asked_for():
    model = keras.Sequential(
        [keras.Input((9, 9, 5)), kl.Conv2D(8, 3), kl.Flatten(), kl.Dense(10)]
    )
    units = structures.Kernels2D()

    sparse = rigl_tf.sparsify(
        model,
        "static",
        sparsity=0.9,
        masks="magnitude_global",
        distribution="uniform_all",
        structure=units,
    )

    size = sum(kernel.size for kernel in sparse.kernels)
    assert 0.1 * size - 9 < active(sparse.kernels) <= 0.1 * size
