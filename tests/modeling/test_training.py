import keras
import numpy as np
import pytest
import tensorflow as tf

import rigl_tf
from rigl_tf import algorithms
from rigl_tf.sparsity import masks
from rigl_tf.sparsity import schedules
from rigl_tf.utils import optimizer_slots
from tests import networks

OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.05),
    "momentum": lambda: keras.optimizers.SGD(0.05, momentum=0.9),
    "nesterov": lambda: keras.optimizers.SGD(0.05, 0.9, nesterov=True),
    "decay": lambda: keras.optimizers.SGD(0.05, 0.9, weight_decay=0.01),
    "adam": lambda: keras.optimizers.Adam(0.01),
    "amsgrad": lambda: keras.optimizers.Adam(0.01, amsgrad=True),
    "adamw": lambda: keras.optimizers.AdamW(0.01),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.01, momentum=0.9),
    "lion": lambda: keras.optimizers.Lion(0.01),
    "adagrad": lambda: keras.optimizers.Adagrad(0.1),
    "ftrl": lambda: keras.optimizers.Ftrl(0.1),
    "lamb": lambda: keras.optimizers.Lamb(0.01),
    "adafactor": lambda: keras.optimizers.Adafactor(0.01),
    "muon": lambda: keras.optimizers.Muon(0.01),
    "clipnorm": lambda: keras.optimizers.SGD(0.05, clipnorm=1.0),
    "global_clipnorm": lambda: keras.optimizers.SGD(0.05, global_clipnorm=1.0),
    "ema": lambda: keras.optimizers.Adam(
        0.01, use_ema=True, ema_overwrite_frequency=3
    ),
    "accumulating": lambda: keras.optimizers.Adam(
        0.01, gradient_accumulation_steps=2
    ),
}
if keras.__version__ < "3.13":  # where it trains no model at all
    del OPTIMIZERS["muon"]


def make(algorithm="rigl", network="sequential", interval=3, **kwargs):
    kwargs.setdefault("sparsity", 0.7)
    kwargs.setdefault(
        "schedule", schedules.UpdateSchedule(interval, end_step=1000)
    )
    return rigl_tf.sparsify(
        networks.NETWORKS[network](), algorithms.get(algorithm), **kwargs
    )


def compiled(model, optimizer="adam", **kwargs):
    model.compile(
        OPTIMIZERS[optimizer](),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        **kwargs,
    )
    return model


def fit(model, data, epochs=1, batch_size=20):
    return model.fit(*data, batch_size=batch_size, epochs=epochs, verbose=0)


def mask_arrays(model):
    return [np.asarray(kernel.mask) for kernel in model.kernels]


def assert_keeps_to_its_masks(model):
    for kernel in model.kernels:
        mask = np.asarray(kernel.mask)
        weights = np.asarray(kernel.variable)
        assert np.all(np.isfinite(weights)), kernel.name
        assert np.all(weights[~mask] == 0), kernel.name


# Their layers share one budget; those of others have one each.
SHARING = (
    algorithms.SNFS,
    algorithms.RigLSG,
    algorithms.RigLSM,
    algorithms.DSR,
    algorithms.GGR,
)


def assert_meets_its_budgets(model):
    counts = [int(masks.count(k.mask)) for k in model.kernels]
    assert sum(counts) == sum(model.budgets)
    if not isinstance(model.algorithm, SHARING):
        assert counts == model.budgets


@pytest.mark.few(1)
@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_zeros_stay_zero_and_counts_exact_under_every_optimizer(name, data):
    model = compiled(make(interval=4), name)  # not in the last step
    before = mask_arrays(model)

    fit(model, data)

    assert_keeps_to_its_masks(model)
    assert_meets_its_budgets(model)
    assert int(model.step) == (5 if name == "accumulating" else 10)
    assert any(
        np.any(old != new)
        for old, new in zip(before, mask_arrays(model), strict=True)
    )


class MovesAll(keras.optimizers.SGD):
    """Changes a weight whose gradient is zero, too."""

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient + 1, variable, learning_rate)


def test_zeros_stay_zero_whatever_a_users_optimizer_does(data):
    model = make()
    model.compile(MovesAll(0.1), "sparse_categorical_crossentropy")

    model.train_on_batch(*data)

    assert_keeps_to_its_masks(model)


# Averages of weights ("ema") move on by themselves after the update.
@pytest.mark.few(1)
@pytest.mark.parametrize("name", sorted(set(OPTIMIZERS) - {"ema"}))
def test_an_update_resets_the_slots_of_new_and_of_dropped_connections(
    name, data
):
    model = compiled(make(interval=3), name)
    x, y = data
    for _ in range(3):
        model.train_on_batch(x[:50], y[:50])
    before = mask_arrays(model)

    model.train_on_batch(x[:50], y[:50])  # the update, at step 3

    for kernel, old in zip(model.kernels, before, strict=True):
        new = np.asarray(kernel.mask)
        for slot in optimizer_slots.of(model.optimizer, kernel.variable):
            first = optimizer_slots.initial_value(model.optimizer, slot)
            values = np.asarray(slot)[~(old & new)]
            assert np.all(values == np.float32(first))


# An algorithm sees no layer, a layer no algorithm: not all pairs are needed.
@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("algorithm", "network"),
    [(name, "functional") for name in sorted(algorithms.ALGORITHMS)]
    + [
        (name, network)
        for name in ("snfs", "dsr")
        for network in sorted(networks.NETWORKS.keys() - {"functional"})
    ],
)
def test_algorithms_train_networks(algorithm, network, data):
    updates = schedules.UpdateSchedule(3, end_step=8)
    model = make(algorithm, network, schedule=updates)
    compiled(model, run_eagerly=True)  # most of a graph's time is its making

    history = fit(model, data, batch_size=50, epochs=2).history["loss"]

    assert_keeps_to_its_masks(model)
    assert history[-1] < history[0]
    if model.sparsity is None:
        assert_meets_its_budgets(model)


@pytest.mark.few(1)
@pytest.mark.parametrize("algorithm", sorted(algorithms.ALGORITHMS))
def test_a_graph_moves_the_same_connections_as_eager_code(algorithm, data):
    updates = schedules.UpdateSchedule(3, end_step=9)
    by_graph = make(algorithm, seed=3, schedule=updates)
    by_code = make(algorithm, seed=3, schedule=updates)
    by_code.set_weights(by_graph.get_weights())
    fit(compiled(by_graph, "momentum"), data)
    fit(compiled(by_code, "momentum", run_eagerly=True), data)

    for one, other in zip(
        mask_arrays(by_graph), mask_arrays(by_code), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    for name, variable in by_graph.state.items():
        assert float(variable) == float(by_code.state[name])


@pytest.mark.few(1)
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("algorithm", ["rigl", "set"])
def test_mixed_precision_trains(policy, algorithm, data):
    keras.config.set_dtype_policy(policy)
    model = compiled(make(algorithm))

    fit(model, data, epochs=2)

    assert_keeps_to_its_masks(model)
    assert_meets_its_budgets(model)
    assert int(model.num_changed) > 0


@pytest.mark.few(1)
@pytest.mark.parametrize(
    "options",
    [
        {"jit_compile": True},
        {"run_eagerly": True},
        {"steps_per_execution": 4},
    ],
    ids=lambda options: next(iter(options)),
)
def test_every_way_to_run_moves_the_same_connections(options, data):
    plain = compiled(make())
    other = compiled(make(), **options)
    other.network.set_weights(plain.network.get_weights())

    for model in (plain, other):
        keras.utils.set_random_seed(1)
        fit(model, data)

    assert int(other.step) == int(plain.step) == 10
    assert_keeps_to_its_masks(other)
    for a, b in zip(mask_arrays(plain), mask_arrays(other), strict=True):
        assert np.mean(a == b) > 0.95  # rounding may turn a near-tie
    assert_meets_its_budgets(other)


def test_updates_happen_at_the_scheduled_steps_and_count_as_steps(data):
    model = compiled(
        make(schedule=schedules.UpdateSchedule(3, begin_step=4, end_step=9))
    )
    x, y = data
    moved = []

    for step in range(12):
        before = int(model.num_changed)
        model.train_on_batch(x[:50], y[:50])
        if int(model.num_changed) > before:
            moved.append(step)

    assert moved == [6]  # 3 is before the begin, 9 is the end
    # Learning rates go by it, whatever the method.
    assert int(model.optimizer.iterations) == 12


def test_set_updates_after_the_optimizer_step(data):
    model = compiled(make("set"))

    fit(model, data)

    assert int(model.optimizer.iterations) == 10
    assert int(model.num_changed) > 0


def test_the_kernel_gradient_that_growth_sees_is_the_dense_one():
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model = rigl_tf.sparsify(
        network,
        algorithms.RigL(),
        sparsity=0.5,
        schedule=schedules.UpdateSchedule(2, end_step=9),
        drop_fraction=schedules.Constant(1.0),
    )
    model.compile("sgd", loss="mse")
    (kernel,) = model.kernels
    model.network.layers[0].set_masks([np.array([[1, 1], [1, 0], [0, 0]]) > 0])
    x = np.array([[1.0, 10.0, 100.0]], "float32")
    model.step.assign(2)

    model.train_on_batch(x, x[:, :2] * 0 + 1e6)

    # Two of three are dropped. The gradient grows with the input: the last
    # row is grown first.
    assert np.asarray(kernel.mask)[2].all()


def test_a_connection_dropped_and_grown_again_keeps_its_weight(data):
    model = compiled(
        make(drop_fraction=schedules.Constant(1.0), interval=2), "momentum"
    )
    x, y = data
    model.train_on_batch(x, y)
    model.train_on_batch(x, y)
    before = [
        (np.asarray(k.mask), np.asarray(k.variable)) for k in model.kernels
    ]

    model.train_on_batch(x, y)

    for kernel, (mask, weights) in zip(model.kernels, before, strict=True):
        stayed = np.asarray(kernel.mask) & mask
        assert stayed.any()
        np.testing.assert_array_equal(
            np.asarray(kernel.variable)[stayed], weights[stayed]
        )


def test_pruning_falls_to_the_sparsity_along_the_schedule(data):
    model = compiled(
        rigl_tf.sparsify(
            networks.sequential(),
            algorithms.GradualPruning(),
            sparsity=schedules.PolynomialSparsity(0.8),
            schedule=schedules.UpdateSchedule(2, end_step=25),
        )
    )
    sparsities = []
    for _ in range(3):
        for _ in range(10):
            model.train_on_batch(*data)
        active = sum(int(masks.count(k.mask)) for k in model.kernels)
        sparsities.append(1 - active / sum(k.size for k in model.kernels))

    assert 0 < sparsities[0] < sparsities[1] < sparsities[2]
    assert_meets_its_budgets(model)
    assert sparsities[2] == pytest.approx(0.8, abs=2e-3)


def test_pruning_counts_zeros_without_rounding_errors():
    """Of 8 zeros, the cubic schedule wants 7 halfway: 1 - (1 / 2) ** 3."""
    model = rigl_tf.sparsify(
        keras.Sequential([keras.Input((12,)), keras.layers.Dense(8)]),
        algorithms.GradualPruning(),
        sparsity=schedules.PolynomialSparsity(8 / 96, end_step=4),
        schedule=schedules.UpdateSchedule(2, end_step=6),
    )
    model.step.assign(2)

    (budget,) = model.sparse_step.current_budgets()

    assert int(budget) == 96 - 7


def test_a_pruning_schedule_may_say_when_and_how_much(data):
    def schedule(step):
        return step % 4 == 0, tf.minimum(0.05 * tf.cast(step, tf.float32), 0.6)

    model = compiled(
        rigl_tf.sparsify(
            networks.sequential(),
            algorithms.GradualPruning(),
            sparsity=schedule,
        )
    )

    fit(model, data, epochs=2)

    assert_meets_its_budgets(model)
    assert_keeps_to_its_masks(model)


@pytest.mark.few(2)
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
@pytest.mark.parametrize("bad_step", [1, 3])
def test_a_step_with_a_nan_gradient_changes_nothing(policy, bad_step, data):
    keras.config.set_dtype_policy(policy)
    model = compiled(make(network="functional"))
    x, y = data
    for _ in range(bad_step):
        model.train_on_batch(x, y)
    bad = x.copy()
    bad[5] = np.nan
    counters = {"step", "num_skipped", "num_skipped_last", "overdue"}
    counters |= {"dynamic_scale", "step_counter"}

    def state():
        variables = model.variables + model.optimizer.variables
        return [np.asarray(v) for v in variables if v.name not in counters]

    before = state()

    model.train_on_batch(bad, y)

    for a, b in zip(before, state(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert int(model.num_skipped) == int(model.num_skipped_last) == 1
    changed = int(model.num_changed)
    model.train_on_batch(x, y)
    assert int(model.num_skipped_last) == 0
    # An update that was due on the bad step happens on this one.
    assert (int(model.num_changed) > changed) == (bad_step == 3)


def test_the_loss_of_an_epoch_leaves_skipped_steps_out(data):
    x, y = data
    x = x.copy()
    x[45] = np.nan
    model = make("static")
    model.compile(
        keras.optimizers.SGD(0.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )

    with pytest.warns(UserWarning, match="epoch 1, 1 of 7 steps were skipped"):
        history = model.fit(x, y, batch_size=30, shuffle=False, verbose=0)

    assert int(model.num_skipped) == 1
    others = np.r_[:30, 60:200]
    loss = model.evaluate(x[others], y[others], verbose=0)
    assert history.history["loss"] == [pytest.approx(loss)]


def test_the_loss_of_an_epoch_of_skipped_steps_is_not_zero(data):
    x, y = data
    model = compiled(make())

    with pytest.warns(UserWarning, match="10 of 10 steps were skipped"):
        history = model.fit(x * np.nan, y, batch_size=20, verbose=0)

    assert np.isnan(history.history["loss"][0])
    assert int(model.num_skipped) == 10


def test_the_first_steps_of_a_scaled_loss_may_overflow_in_silence(data):
    keras.config.set_dtype_policy("mixed_float16")
    model = make(network="functional")
    model.compile(
        keras.optimizers.LossScaleOptimizer(
            keras.optimizers.SGD(0.01), initial_scale=2.0**30
        ),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    x, y = data

    model.fit(x, y, batch_size=1, epochs=4, verbose=0)

    assert 0 < int(model.num_skipped) < int(model.step)


def test_an_exported_model_predicts_like_the_sparse_one(data, tmp_path):
    model = make()

    model.export(tmp_path, verbose=False)

    loaded = tf.saved_model.load(tmp_path)
    served = loaded.serve(data[0])
    np.testing.assert_allclose(served, model.predict(data[0], verbose=0), 1e-5)
    assert model.input_shape == (None, *data[0].shape[1:])
    assert model.output_shape == (None, *served.shape[1:])


def test_a_saved_model_goes_on_as_if_it_had_not_been_saved(data, tmp_path):
    model = compiled(make(), "adam")
    fit(model, data)
    model.save(tmp_path / "model.keras")

    loaded = keras.saving.load_model(tmp_path / "model.keras")

    assert loaded.algorithm == model.algorithm
    assert loaded.schedule == model.schedule
    for a, b in zip(model.variables, loaded.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    for each in (model, loaded):
        keras.utils.set_random_seed(3)
        fit(each, data)
    assert int(loaded.step) == 20
    for a, b in zip(model.variables, loaded.variables, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.few(1)
@pytest.mark.parametrize("network", sorted(networks.NETWORKS))
def test_every_network_survives_saving(network, data, tmp_path):
    model = compiled(make(network=network))
    fit(model, data)
    model.save(tmp_path / "model.keras")

    loaded = keras.saving.load_model(tmp_path / "model.keras")

    np.testing.assert_array_equal(
        model.predict(data[0], verbose=0), loaded.predict(data[0], verbose=0)
    )
    assert_keeps_to_its_masks(loaded)
    assert_meets_its_budgets(loaded)


def test_end_step_is_three_quarters_of_the_first_fit(data, tmp_path):
    model = compiled(make(schedule=schedules.UpdateSchedule(2)))

    fit(model, data, epochs=4)
    model.save(tmp_path / "model.keras")
    for again in (keras.saving.load_model(tmp_path / "model.keras"), model):
        with pytest.warns(UserWarning, match="here at step 30, and this `fit`"):
            fit(again, data)

    assert model.schedule.end_step == 30
    assert model.drop_fraction.end_step == 30


@pytest.mark.parametrize(
    ("schedule", "hint"),
    [
        (schedules.UpdateSchedule(100), "interval=3 .* there would be 9"),
        (schedules.UpdateSchedule(2, begin_step=100), "or begin earlier"),
        (schedules.UpdateSchedule(2, end_step=1), "interval=3 .* would be 9"),
    ],
)
def test_the_advice_for_missing_updates_helps(schedule, hint, data):
    model = compiled(make(schedule=schedule))

    with pytest.warns(UserWarning, match=f"No update of the masks.*{hint}"):
        model.sparse_step.resolve_schedules(40)

    if "9" in hint:
        advised = schedules.UpdateSchedule(3)
        model = compiled(make(schedule=advised))
        fit(model, data, epochs=4)
        assert int(model.num_updates) == 9


def test_an_open_interval_is_an_epoch_of_the_first_fit(data):
    updates = schedules.UpdateSchedule(interval=None, end_fraction=0.5)
    model = compiled(make(schedule=updates))

    fit(model, data, epochs=4)

    # 10 steps an epoch, 40 in all: updates at 10 only.
    assert (model.schedule.interval, model.schedule.end_step) == (10, 20)


def test_seeds_decide_masks_and_updates(data):
    def trained(seed):
        keras.utils.set_random_seed(0)
        model = compiled(make("set", seed=seed))
        fit(model, data)
        return mask_arrays(model)

    same, again, other = trained(1), trained(1), trained(2)

    assert all(np.array_equal(a, b) for a, b in zip(same, again, strict=True))
    assert any(np.any(a != b) for a, b in zip(same, other, strict=True))


def test_snfs_averages_the_dense_gradient_of_every_batch():
    """One dense layer, whose gradient can be written down."""
    model = rigl_tf.sparsify(
        keras.Sequential(
            [keras.Input((3,)), keras.layers.Dense(1, use_bias=False)]
        ),
        algorithms.SNFS(decay=0.5),
        sparsity=0.5,
        distribution=rigl_tf.distributions.uniform_all,
        schedule=schedules.UpdateSchedule(100, end_step=1000),
    )
    model.compile("sgd", loss=lambda y, out: out)
    (kernel,) = model.kernels
    x = np.array([[1.0, 2.0, -4.0]], "float32")

    for _ in range(2):
        model.train_on_batch(x, np.zeros((1, 1)))

    # The gradient of w . x is x, at inactive connections, too.
    np.testing.assert_allclose(np.ravel(model.momenta[0]), 0.75 * x[0])


def test_deepr_adds_its_pull_to_the_step_of_active_weights():
    model = rigl_tf.sparsify(
        keras.Sequential(
            [keras.Input((4,)), keras.layers.Dense(3, use_bias=False)]
        ),
        algorithms.DeepR(l1=0.5, temperature=0.0),
        sparsity=0.5,
        schedule=schedules.UpdateSchedule(100, end_step=1000),
    )
    model.compile(keras.optimizers.SGD(0.1), loss=lambda y, out: 0.0 * out)
    (kernel,) = model.kernels
    before, mask = np.array(kernel.variable), np.array(kernel.mask)

    model.train_on_batch(np.ones((1, 4)), np.zeros((1, 3)))

    np.testing.assert_allclose(
        kernel.variable, (before - 0.05 * np.sign(before)) * mask, rtol=1e-6
    )


def test_deepr_grows_a_connection_that_crossed_zero_with_weight_zero():
    """A full kernel has no other place to grow than where it has dropped."""
    layer = keras.layers.Dense(1, use_bias=False)
    network = keras.Sequential([keras.Input((3,)), layer])
    layer.kernel.assign([[0.5], [-0.5], [0.5]])
    model = rigl_tf.sparsify(
        network,
        algorithms.DeepR(l1=0.0, temperature=0.0),
        sparsity=0.0,
        schedule=schedules.UpdateSchedule(1, end_step=10),
    )
    model.compile(keras.optimizers.SGD(1.0, 0.5), loss=lambda y, out: out)

    # The gradient of the sum of weights times x is x.
    model.train_on_batch(np.array([[0.0, 0.0, 0.25]]), np.zeros((1, 1)))
    model.train_on_batch(np.array([[1.0, 0.0, 0.0]]), np.zeros((1, 1)))

    assert np.all(model.kernels[0].mask)
    np.testing.assert_allclose(np.ravel(layer.kernel), [0, -0.5, 0.125])
    momentum = np.ravel(model.optimizer.momentums[0])
    np.testing.assert_allclose(momentum, [0, 0, -0.125])


def test_deepr_keeps_the_signs_that_it_started_with(data):
    model = compiled(make("deepr"), "momentum", run_eagerly=True)
    before = [np.array(sign) for sign in model.signs]

    fit(model, data)
    model.predict(data[0], verbose=0)

    assert int(model.num_changed) > 0
    for sign, expected in zip(model.signs, before, strict=True):
        np.testing.assert_array_equal(sign, expected)


@pytest.mark.few(1)
@pytest.mark.parametrize("algorithm", ["snfs", "dsr", "deepr"])
def test_what_an_algorithm_keeps_survives_saving(algorithm, data, tmp_path):
    model = compiled(make(algorithm), "momentum")
    fit(model, data)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")

    fit(model, data)
    fit(loaded, data)

    for one, other in zip(
        model.get_weights(), loaded.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("optimizer", ["sgd", "adagrad"])
def test_an_optimizer_without_momentum_is_refused_where_it_is_needed(optimizer):
    with pytest.raises(ValueError, match=r"has none.*SGD\(momentum=0.9\)"):
        compiled(make("rigl_sm"), optimizer)
