"""The masks that training starts with."""

import keras
import numpy as np
import pytest
from keras import layers as kl

import rigl_tf
from rigl_tf.modeling import initial_masks
from rigl_tf.sparsity import schedules
from rigl_tf.sparsity import structures


def network():
    return keras.Sequential(
        [
            keras.Input((8,)),
            kl.Dense(8, name="small", kernel_initializer="zeros"),
            kl.Dense(8, name="large"),
        ]
    )


def trained():
    """A network whose second layer has the larger weights."""
    model = network()
    rng = np.random.default_rng(0)
    model.layers[0].kernel.assign(rng.uniform(0.1, 1, (8, 8)))
    model.layers[1].kernel.assign(rng.uniform(2, 3, (8, 8)))
    return model


@pytest.mark.parametrize("storage", ["dense", "active"])
def test_layers_of_one_shape_have_other_random_masks(storage):
    sparse = rigl_tf.sparsify(
        network(), "static", sparsity=0.5, storage=storage
    )

    one, other = (np.array(kernel.mask) for kernel in sparse.kernels)
    assert one.sum() == other.sum()
    assert np.any(one != other)


@pytest.mark.parametrize("storage", ["dense", "active"])
def test_the_largest_weights_of_each_layer_are_kept(storage):
    model = trained()
    before = [np.array(layer.kernel) for layer in model.layers]

    sparse = rigl_tf.sparsify(
        model,
        "static",
        sparsity=0.75,
        distribution="uniform_all",
        masks="magnitude",
        storage=storage,
    )

    for kernel, weights in zip(sparse.kernels, before, strict=True):
        smallest = np.sort(weights.ravel())[48]
        np.testing.assert_array_equal(kernel.mask, weights >= smallest)
        np.testing.assert_array_equal(
            kernel.weights(), np.where(weights >= smallest, weights, 0)
        )


def test_the_largest_weights_of_all_layers_are_kept_and_one_of_each():
    sparse = rigl_tf.sparsify(
        trained(), "static", sparsity=0.75, masks="magnitude_global"
    )

    assert [int(kernel.count()) for kernel in sparse.kernels] == [1, 31]
    assert sparse.budgets == [1, 31]


def test_a_layer_of_small_units_keeps_one_beside_large_units():
    conv = kl.Conv2D(3, 2)
    dense = kl.Dense(6, kernel_initializer="zeros")
    conv.build((None, 4, 4, 2))
    dense.build((None, 3))
    kernels = [rigl_tf.Sparse(layer).kernels[0] for layer in (conv, dense)]

    # The five units of the largest weights have 17 connections, and 8 are
    # asked for: two units of the first layer have all of them.
    found = initial_masks.global_budgets(
        kernels, [1, 4], structures.Kernels2D()
    )

    assert found == [2, 1]


def test_blocks_and_groups_are_kept_by_their_magnitude():
    weights = np.array(trained().layers[1].kernel)
    blocks = rigl_tf.sparsify(
        trained(),
        "static",
        sparsity=0.75,
        distribution="uniform_all",
        masks="magnitude",
        structure=structures.Blocks(4, 4),
    )
    groups = rigl_tf.sparsify(
        trained(),
        "static",
        sparsity=0.5,
        distribution="uniform_all",
        masks="magnitude",
        structure=structures.NM(2, 4),
    )

    means = weights.reshape(2, 4, 2, 4).mean(axis=(1, 3))
    best = np.kron(means == means.max(), np.ones((4, 4))) > 0
    np.testing.assert_array_equal(blocks.kernels[1].mask, best)
    grouped = np.array(groups.kernels[1].mask).reshape(2, 4, 8)
    assert np.all(grouped.sum(axis=1) == 2)


def test_masks_are_taken_by_name():
    mask = np.eye(8, dtype=bool)

    sparse = rigl_tf.sparsify(
        trained(), "rigl", sparsity=0.5, masks={"large": mask}
    )

    np.testing.assert_array_equal(sparse.kernels[1].mask, mask)
    assert sparse.budgets[1] == 8
    with pytest.raises(
        ValueError, match="one of 'random'.*`masks` of a ticket"
    ):
        rigl_tf.sparsify(trained(), "rigl", sparsity=0.5, masks="largest")


def test_pruning_starts_from_the_zeros_that_are_there():
    before = rigl_tf.sparsify(trained(), "static", sparsity=0.7)
    sparse = rigl_tf.sparsify(
        rigl_tf.densify(before),
        "gradual_pruning",
        sparsity=schedules.PolynomialSparsity(final=0.9, initial=0.7),
        schedule=schedules.UpdateSchedule(2, end_step=10),
    )
    sparse.compile("sgd", "mse", run_eagerly=True)
    x = np.ones((4, 8))

    found = [
        rigl_tf.summary(sparse).sparsity
        for _ in range(12)
        if sparse.train_on_batch(x, x) is not None
    ]

    assert found[0] == min(found) == rigl_tf.summary(before).sparsity
    assert found[-1] == pytest.approx(0.9, abs=0.02)


def test_zeros_that_pruning_does_not_keep_are_named():
    model = trained()
    model.layers[1].kernel.assign(np.eye(8))

    with pytest.warns(UserWarning, match="connections of large start active"):
        sparse = rigl_tf.sparsify(model, "gradual_pruning", sparsity=0.5)

    assert all(np.all(kernel.mask) for kernel in sparse.kernels)


@pytest.mark.parametrize("when", ["at once", "later"])
def test_pruning_goes_on_from_masks_that_are_given(when):
    half = {n: np.arange(64).reshape(8, 8) % 2 > 0 for n in ("small", "large")}
    sparse = rigl_tf.sparsify(
        trained(),
        "gradual_pruning",
        sparsity=0.9,
        schedule=schedules.UpdateSchedule(2, end_step=10),
        masks=half if when == "at once" else "random",
    )
    if when == "later":
        sparse.set_masks(half)
    sparse.compile("sgd", "mse", run_eagerly=True)
    x = np.ones((4, 8))

    found = [
        rigl_tf.summary(sparse).sparsity
        for _ in range(12)
        if sparse.train_on_batch(x, x) is not None
    ]

    assert found[0] == min(found) == 0.5
    assert found[-1] == pytest.approx(0.9, abs=0.02)
    for kernel in sparse.kernels:
        assert not np.any(np.array(kernel.mask) & ~half[kernel.name])
