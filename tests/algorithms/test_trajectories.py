"""Whole training steps, compared with an implementation in NumPy."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import rigl_tf
from rigl_tf import algorithms
from rigl_tf.sparsity import random_bits
from rigl_tf.sparsity import schedules
from tests.algorithms import reference

SEED = 5
# Updates at 3, 6 and 9: none at 0, and none at 12.
INTERVAL, END, NUM_STEPS = 3, 12, 13
WIDTHS = 8, 10, 6, 4
SPARSITY = {"first": 0.5, "second": 0.4, "third": 0.25}
# Exact in 32 bits, too.
RATE, MOMENTUM = 2.0**-3, 0.875
FIRST_FRACTION = 0.5
# Of all kernels together, for those that rank them together.
TOTAL = {"granet": 0.6, "ac_dc": 0.6}
HYPERPARAMETERS = {
    "dsr": {"threshold": 0.25},
    "deepr": {"l1": 2.0**-5, "temperature": 2.0**-9},
    "mest": {"gradient_weight": 4.0},
}


@pytest.fixture(autouse=True)
def float64():
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")


def sgd(nesterov=False, **kwargs):
    return (
        keras.optimizers.SGD(RATE, MOMENTUM, nesterov, **kwargs),
        reference.SGD(RATE, MOMENTUM, nesterov),
    )


def adam():
    betas, epsilon = (0.875, 1 - 2.0**-5), 2.0**-20
    return (
        keras.optimizers.Adam(2.0**-6, *betas, epsilon),
        reference.Adam(2.0**-6, *betas, epsilon),
    )


def cosine(step, begin=0):
    done = (step - begin) / (END - begin)
    return FIRST_FRACTION / 2 * (1 + np.cos(np.pi * done))


class Chance:
    """The random numbers of the library, by kernel and step."""

    def scores(self, i, step):
        return self._numbers(i, step).integers().numpy()

    def normal(self, i, step):
        return self._numbers(i, step).normal().numpy()

    def gumbel(self, i, step, stream):
        """By the uniform numbers in the integers."""
        integers = self._numbers(i, step).integers(stream).numpy()
        uniform = (integers.view("uint32") + 0.5) / 2.0**32
        return -np.log(-np.log1p(-uniform))

    def signs(self, i):
        shape = WIDTHS[i], WIDTHS[i + 1]
        return np.where(random_bits.draw(shape, (SEED, i)) < 0, -1, 1)

    def _numbers(self, i, step):
        seed = tf.random.experimental.stateless_fold_in(
            tf.constant([SEED, i], tf.int64), tf.constant(step, tf.int64)
        )
        shape = WIDTHS[i], WIDTHS[i + 1]
        return algorithms.RandomNumbers(shape, seed)


def sparse_network(algorithm, decay, sparsity, fraction, begin_step):
    layers = [
        keras.layers.Dense(
            width,
            name=name,
            activation=activation,
            bias_initializer="random_normal",
            kernel_regularizer=keras.regularizers.L2(decay / 2),
        )
        for name, width, activation in zip(
            SPARSITY, WIDTHS[1:], ["relu", "relu", None], strict=True
        )
    ]
    return rigl_tf.sparsify(
        keras.Sequential([keras.Input(WIDTHS[:1]), *layers]),
        algorithm,
        sparsity=sparsity,
        drop_fraction=fraction,
        schedule=schedules.UpdateSchedule(INTERVAL, begin_step, END),
        seed=SEED,
    )


def batches(num, scale):
    rng = np.random.default_rng(SEED)
    for _ in range(num):
        x = scale * rng.normal(size=(12, WIDTHS[0]))
        yield x, rng.integers(0, WIDTHS[-1], 12)


def assert_same_steps(
    name,
    optimizers=None,
    *,
    rule=None,
    hyperparameters=None,
    sparsity=None,
    drop_fraction=None,
    begin_step=0,
    decay=0.0,
    accumulation=1,
    poisoned=(),
    input_scale=1.0,
    run_eagerly=True,
):
    """Trains in Keras and in NumPy, and compares them after every batch.

    Args:
        name: String, the algorithm.
        optimizers: Pair, the same optimizer for Keras and for NumPy.
        rule: `reference.Rule`, by default the algorithm's.
        hyperparameters: Dictionary, of the algorithm.
        sparsity: Dictionary from layer to float, or a float; by default, the
            algorithm's.
        drop_fraction: Function from step to float, by default the cosine.
        begin_step: Integer.
        decay: Float, of the loss.
        accumulation: Integer, the batches of an optimizer step.
        poisoned: List of integers, the batches with a NaN.
        input_scale: Float, the factor of the inputs.
        run_eagerly: Boolean.

    Returns:
        The sparse model, after the last step.
    """
    hyperparameters = hyperparameters or HYPERPARAMETERS.get(name, {})
    optimizer, plain_optimizer = optimizers or sgd()
    model = sparse_network(
        algorithms.get(name, **hyperparameters),
        decay,
        sparsity or TOTAL.get(name, SPARSITY),
        drop_fraction or FIRST_FRACTION,
        begin_step,
    )
    model.compile(
        optimizer,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        run_eagerly=run_eagerly,
        jit_compile=False,
    )
    expected = reference.Training(
        rule or reference.RULES[name],
        weights=[np.array(v) for v in model.trainable_variables],
        masks=[np.array(kernel.mask) for kernel in model.kernels],
        optimizer=plain_optimizer,
        chance=Chance(),
        interval=INTERVAL,
        begin_step=begin_step,
        end_step=END,
        fraction=drop_fraction or (lambda step: cosine(step, begin_step)),
        budgets=model.budgets,
        decay=decay,
        clip=optimizer.global_clipnorm or np.inf,
        accumulation=accumulation,
        threshold=np.float32(hyperparameters.get("threshold", 0)),
        pull=hyperparameters.get(
            "l1", hyperparameters.get("gradient_weight", 0)
        ),
        temperature=hyperparameters.get("temperature", 0),
    )
    for i, (x, y) in enumerate(batches(NUM_STEPS * accumulation, input_scale)):
        if i in poisoned:
            x[0, 0] = np.nan
        model.train_on_batch(x, y)
        expected.train(x, y)
        assert_same_state(model, expected)
    return model


def assert_same_state(model, expected):
    step = f"after step {expected.step - 1}"
    assert int(model.step) == expected.step
    assert int(model.num_updates) == expected.num_updates, step
    assert int(model.num_changed) == expected.num_changed, step
    for kernel, mask in zip(model.kernels, expected.masks, strict=True):
        np.testing.assert_array_equal(kernel.mask, mask, step)
    assert_close(model.trainable_variables, expected.weights, step)
    is_adam = isinstance(model.optimizer, keras.optimizers.Adam)
    names = ["_momentums", "_velocities"] if is_adam else ["momentums"]
    kept = zip(*expected.optimizer.slots, strict=True)
    for name, values in zip(names, kept, strict=True):
        assert_close(getattr(model.optimizer, name), values, step)
    if model.momenta:
        assert_close(model.momenta, expected.means, step, 1e-6)
    if "threshold" in model.state:
        assert float(model.state["threshold"]) == expected.threshold, step


def assert_close(variables, values, step, tolerance=1e-9):
    for variable, value in zip(variables, values, strict=True):
        np.testing.assert_allclose(
            np.array(variable), value, 0, tolerance, err_msg=step
        )


def test_the_reference_knows_every_algorithm():
    assert reference.RULES.keys() == algorithms.ALGORITHMS.keys()


@pytest.mark.few(2)
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("name", sorted(algorithms.ALGORITHMS))
def test_every_step_of_every_algorithm(name, nesterov):
    model = assert_same_steps(name, sgd(nesterov))

    assert int(model.num_updates) == (0 if name == "static" else 3)
    grows = model.sparsity is None or model.algorithm.regrows
    assert (int(model.num_changed) > 0) == (grows and name != "static")


@pytest.mark.few(1)
@pytest.mark.parametrize("name", ["rigl", "rigl_sm"])
def test_every_step_with_adam(name):
    assert_same_steps(name, adam())


@pytest.mark.few(2)
@pytest.mark.parametrize(
    "name", ["rigl", "set", "granet", "mest", "snfs", "deepr"]
)
def test_every_step_of_two_batches(name):
    """A batch with NaN does not count."""
    model = assert_same_steps(
        name,
        sgd(gradient_accumulation_steps=2),
        accumulation=2,
        poisoned=[1, 6],
    )

    assert int(model.step) == NUM_STEPS - 1


@pytest.mark.parametrize("name", ["rigl", "set"])
def test_every_step_with_clipped_gradients(name):
    """Gradients of inactive connections do not count in the norm."""
    assert_same_steps(name, sgd(global_clipnorm=0.25))


@pytest.mark.few(2)
@pytest.mark.parametrize("name", ["rigl", "rigl_sg", "snfs", "deepr"])
def test_growth_sees_neither_decay_nor_the_scale_of_the_loss(name):
    assert_same_steps(name, sgd(loss_scale_factor=2.0**10), decay=2.0**-3)


@pytest.mark.parametrize("name", ["rigl", "set"])
def test_a_batch_with_nan_changes_nothing_and_its_update_comes_next(name):
    model = assert_same_steps(name, poisoned=[2, 3, 7])

    assert int(model.num_updates) == 3
    assert int(model.num_skipped) == 3


@pytest.mark.few(2)
@pytest.mark.parametrize("name", ["rigl", "ggr", "dsr"])
def test_the_last_connection_of_a_kernel_stays(name):
    model = assert_same_steps(
        name,
        hyperparameters={"threshold": 64.0} if name == "dsr" else {},
        sparsity={"first": 0.5, "second": 0.9, "third": 0.96},
        drop_fraction=lambda step: 1.0,
    )

    assert int(model.kernels[-1].count()) >= 1


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("threshold", "after"), [(0.125, 0.0625), (0.25, 0.0625), (0.5, 0.0625)]
)
def test_the_threshold_of_dsr_is_doubled_kept_and_halved(threshold, after):
    """The connections count that were active before the drop."""
    model = assert_same_steps("dsr", hyperparameters={"threshold": threshold})

    assert float(model.state["threshold"]) == after


def test_updates_and_the_cosine_start_at_begin_step():
    model = assert_same_steps("rigl", begin_step=4)

    assert int(model.num_updates) == 2


@pytest.mark.few(1)
@pytest.mark.parametrize("name", ["rigl", "rigl_sg", "ggr", "ggr_rigl"])
def test_of_equal_scores_the_first_wins(name):
    """Without input, the first kernel has no gradient."""
    assert_same_steps(name, input_scale=0.0)


def test_every_step_of_mest_with_a_soft_bound():
    """Sparsities of 0.4, 0.45 and 0.5, from which 0.5 and less are dropped."""
    assert_same_steps(
        "mest",
        rule=dataclasses.replace(
            reference.RULES["mest"],
            part=lambda step, last: {3: 0.8, 6: 0.9, 9: 1.0}[step],
        ),
        sparsity=schedules.PiecewiseSparsity({0: 0.4, 6: 0.45, 8: 0.5}),
        drop_fraction=schedules.PiecewiseConstant({0: 0.2, 6: 0.1, 8: 0.0}),
    )


@pytest.mark.parametrize(
    "name", ["gradual_pruning", "movement_pruning", "saliency_pruning"]
)
def test_every_step_of_pruning_all_kernels_together(name):
    assert_same_steps(
        name,
        rule=dataclasses.replace(reference.RULES[name], drop="global"),
        hyperparameters={"scope": "global"},
        sparsity=0.45,
    )


@pytest.mark.few(1)
@pytest.mark.parametrize("name", ["rigl_sm", "snfs"])
def test_every_step_of_a_graph(name):
    assert_same_steps(name, adam(), run_eagerly=False)


def test_an_update_and_a_step_of_the_original_code():
    """The code of google-research/rigl gives these numbers."""
    layer = keras.layers.Dense(4, use_bias=False, name="only")
    network = keras.Sequential([keras.Input([3]), layer])
    layer.kernel.assign(
        [
            [0.5, -0.4, 0.3, -0.2],
            [0.1, 0.6, -0.7, 0.8],
            [-0.9, 0.15, 0.25, -0.35],
        ]
    )
    first = [[1, 0, 1, 0], [0, 1, 1, 1], [1, 0, 0, 1]]
    model = rigl_tf.sparsify(
        network,
        "rigl",
        sparsity=5 / 12,
        drop_fraction=schedules.Constant(0.5),
        schedule=schedules.UpdateSchedule(3, end_step=100),
        masks={"only": np.array(first, bool)},
    )
    # The original updates at step 0. So nothing is trained before ours.
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([3], [0.0, 0.01])
    model.compile(keras.optimizers.SGD(rate, momentum=0.9))
    x, c = tf.constant([[1.0, 2, 3]]), tf.constant([0.5, -1, 2, -0.25])

    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(c * tf.cast(model(x), c.dtype))
        gradients = tape.gradient(loss, model.trainable_variables)
        model.apply_gradients(zip(gradients, model.trainable_variables))
        return np.array(layer.kernel)

    before = [step() for _ in range(3)][-1]
    moved = step()
    mask = np.array(model.kernels[0].mask, int)
    trained = step()

    np.testing.assert_array_equal(before != 0, first)
    np.testing.assert_array_equal(
        mask, [[0, 0, 1, 0], [0, 1, 1, 1], [1, 1, 1, 0]]
    )
    np.testing.assert_allclose(
        moved, [[0, 0, 0.3, 0], [0, 0.6, -0.7, 0.8], [-0.9, 0, 0, 0]]
    )
    np.testing.assert_allclose(
        trained,
        [[0, 0, 0.28, 0], [0, 0.62, -0.74, 0.805], [-0.915, 0.03, -0.06, 0]],
    )
