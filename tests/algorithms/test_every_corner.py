"""Every algorithm in every precision, with what else users set."""

import keras
import numpy as np
import pytest

import rigl_tf
from rigl_tf import algorithms
from rigl_tf.callbacks.training_state import Snapshot
from rigl_tf.sparsity import schedules
from rigl_tf.utils.tensors import as_array

STEPS = 3  # of which the last updates the masks
X = np.random.default_rng(0).normal(size=(8, 6))
Y = np.arange(8) % 3


FAST = {  # to change masks within these steps
    "deepr": algorithms.DeepR(l1=0.01, temperature=0.01),
    "dsr": algorithms.DSR(threshold=0.2),
}
POLICIES = ("float64", "float16", "bfloat16", "mixed_float16", "mixed_bfloat16")
OPTIMIZERS = {
    "SGD": keras.optimizers.SGD(0.1, momentum=0.9).get_config(),
    "Ftrl": keras.optimizers.Ftrl(0.1).get_config(),
    "EMA": keras.optimizers.SGD(
        0.1, momentum=0.9, use_ema=True, ema_overwrite_frequency=2
    ).get_config(),
}


def made(name, corner):
    keras.utils.set_random_seed(0)
    if corner in POLICIES:
        keras.config.set_dtype_policy(corner)
    network = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(10, activation="tanh"),
            keras.layers.Dense(3),
        ]
    )
    model = rigl_tf.sparsify(
        network,
        FAST.get(name, name),
        sparsity=0.6,
        schedule=schedules.UpdateSchedule(2, end_step=STEPS),
        drop_fraction=schedules.Constant(0.5),
    )
    if corner == "frozen":
        model.kernels[0].layer.trainable = False
    if corner == "clone":
        model = keras.models.clone_model(model)
    kind = keras.optimizers.Ftrl if corner == "Ftrl" else keras.optimizers.SGD
    model.compile(
        kind.from_config(OPTIMIZERS.get(corner, OPTIMIZERS["SGD"])),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        run_eagerly=True,
    )
    return model


def state(model):
    variables = model.variables + model.optimizer.variables
    return [as_array(variable) for variable in variables]


def trained(model, steps):
    for _ in steps:
        model.train_on_batch(X, Y)
    return model


def check(model):
    """Finite numbers, exact zeros, and as many connections as granted."""
    for array in state(model):
        if array.dtype.kind not in "bi":
            assert np.all(np.isfinite(array.astype("float64")))
    assert int(model.num_skipped) == 0
    assert int(model.num_updates) == model.algorithm.updates_masks
    counts = [int(kernel.count()) for kernel in model.kernels]
    assert sum(counts) == sum(model.budgets)
    for kernel in model.kernels:
        weights, mask = as_array(kernel.variable), as_array(kernel.mask)
        assert weights[mask].any() and not weights[~mask].any()


ALL = pytest.mark.parametrize("name", sorted(algorithms.ALGORITHMS))


@pytest.mark.few(5)
@pytest.mark.parametrize("corner", [*POLICIES, "clone"])
@ALL
def test_masks_are_exact_and_weights_finite(name, corner):
    model = trained(made(name, corner), range(STEPS))

    check(model)
    grows = model.sparsity is None or model.algorithm.regrows
    grows = grows and name != "ac_dc"  # whose only phase here is sparse
    grows = grows and model.algorithm.updates_masks
    assert (int(model.num_changed) > 0) == grows


@pytest.mark.few(6)
@ALL
def test_frozen_kernels_stay(name):
    model = made(name, "frozen")
    kernel = model.kernels[0]
    before = as_array(kernel.variable), as_array(kernel.mask)

    trained(model, range(STEPS))

    np.testing.assert_array_equal(before[0], as_array(kernel.variable))
    np.testing.assert_array_equal(before[1], as_array(kernel.mask))
    assert int(model.num_skipped) == 0


@pytest.mark.few(2)
@pytest.mark.parametrize("corner", ["Ftrl", "EMA"])
@ALL
def test_optimizers_with_more_slots_go_on_bit_for_bit(name, corner):
    if (name, corner) == ("rigl_sm", "Ftrl"):
        with pytest.raises(ValueError, match="needs the optimizer.s momentum"):
            made(name, corner)
        return
    model, resumed = trained(made(name, corner), range(1)), made(name, corner)
    arrays = Snapshot(model).arrays(within_epoch=False)
    Snapshot(resumed).put_back([np.copy(a) for a in arrays], within_epoch=False)

    for one in (model, resumed):
        check(trained(one, range(1, STEPS)))

    for one, other in zip(state(model), state(resumed), strict=True):
        np.testing.assert_array_equal(one, other)


def test_new_connections_start_with_the_slots_of_the_optimizer():
    """Of those that divide by a slot, 0.1 and not 0."""
    model = made("set", "Ftrl")
    kernel = model.kernels[0]
    before = as_array(kernel.mask)

    trained(model, range(STEPS))

    new = as_array(kernel.mask) & ~before
    accumulator = model.optimizer._accumulators[0]
    assert new.any()
    np.testing.assert_array_equal(as_array(accumulator)[new], np.float32(0.1))
