"""What a step counts, sees and skips, through every way of training."""

import gc
import itertools
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

import rigl_tf
from rigl_tf.modeling import gradient_step
from rigl_tf.modeling import grow_init
from rigl_tf.modeling.sparse_optimizer import find_sparse_step
from rigl_tf.sparsity import schedules
from tests.modeling import doors

STEPS = schedules.UpdateSchedule(2, end_step=7)
# Large enough that growth would differ if it saw the decay.
DECAYS = {
    "L2": keras.regularizers.L2(3.0),
    "L1": keras.regularizers.L1(3.0),
}


def linear(*widths, decay=None):
    """Linear layers side by side, whose gradients are easy to compute."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((8,))
    outputs = [
        keras.layers.Dense(
            width, use_bias=False, kernel_regularizer=decay, name=f"of_{width}"
        )(inputs)
        for width in widths
    ]
    if len(outputs) > 1:
        outputs = [keras.layers.Concatenate()(outputs)]
    return keras.Model(inputs, outputs)


def regression(num_batches, batch_size=12, width=6):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(num_batches, batch_size, 8)).astype("float32")
    y = rng.normal(size=(num_batches, batch_size, width)).astype("float32")
    return x, y


def train(way, model, x, y, options, optimizer=None, *callbacks):
    """Trains a model on batches and returns its sparse step and its kernels."""
    optimizer = optimizer or keras.optimizers.SGD(0.01)
    data = tf.data.Dataset.from_tensor_slices((x, y))
    if way == "callback":
        training = rigl_tf.SparseTraining(**options)
        model.compile(optimizer, "mse", run_eagerly=True)
        callbacks = [training, *callbacks]
    else:
        model = rigl_tf.sparsify(model, **options)
        model.compile(optimizer, "mse", run_eagerly=True)
        training = model
    if way == "loop":
        for batch in data:
            for callback in callbacks:
                callback.set_model(model)
                callback.on_train_batch_begin(int(model.step))
            loop_step(model, *batch)
    else:
        model.fit(data, shuffle=False, verbose=0, callbacks=callbacks)
    return training.sparse_step


def loop_step(model, x, y):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(x, training=True) - y) ** 2)
        loss = model.optimizer.scale_loss(loss + sum(model.losses))
    gradients = tape.gradient(loss, model.trainable_variables)
    model.apply_gradients(
        zip(gradients, model.trainable_variables, strict=True)
    )


every_way = pytest.mark.parametrize("way", ["fit", "loop", "callback"])


# What is counted.


@pytest.mark.few(5)
@every_way
@pytest.mark.parametrize("name", ["static", "set", "rigl", "gradual_pruning"])
def test_learning_rates_do_not_depend_on_the_method(name, way):
    decay = keras.optimizers.schedules.CosineDecay(0.01, decay_steps=7)
    optimizer = keras.optimizers.SGD(decay)

    step = train(
        way,
        linear(6),
        *regression(7),
        {"algorithm": name, "sparsity": 0.5, "schedule": STEPS},
        optimizer,
    )

    assert int(step.num_updates) == 3 * (name != "static")
    assert int(step.step) == int(optimizer.iterations) == 7
    np.testing.assert_allclose(float(optimizer.learning_rate), 0, atol=1e-9)


def scaled(optimizer):
    return keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=1024.0)


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("name", "scaling", "way"),
    [
        *itertools.product(
            ("rigl", "snfs", "rigl_sg"),
            ("none", "constant", "dynamic"),
            ["fit"],
        ),
        *itertools.product(["rigl"], ["dynamic"], ("loop", "callback")),
        *itertools.product(["snfs"], ["none"], ("loop", "callback")),
    ],
)
def test_batches_that_are_accumulated_act_like_one(name, way, scaling):
    x, y = regression(15)
    options = {"algorithm": name, "sparsity": 0.5, "schedule": STEPS}
    factor = 1024.0 if scaling == "constant" else None
    several = keras.optimizers.SGD(
        0.01,
        momentum=0.9,
        gradient_accumulation_steps=3,
        loss_scale_factor=factor,
    )
    if scaling == "dynamic":
        several = scaled(several)

    one_batch = train(
        way,
        linear(2, 4, decay="l2"),
        x.reshape(5, 36, 8),
        y.reshape(5, 36, 6),
        options,
        keras.optimizers.SGD(0.01, momentum=0.9),
    )
    micro_batches = train(way, linear(2, 4, decay="l2"), x, y, options, several)

    assert int(micro_batches.step) == int(one_batch.step) == 5
    assert int(micro_batches.num_updates) == int(one_batch.num_updates) == 2
    assert int(one_batch.num_changed) > 0
    assert_same_kernels(micro_batches, one_batch)


def assert_same_kernels(step, expected):
    for kernel, other in zip(step.kernels, expected.kernels, strict=True):
        np.testing.assert_array_equal(kernel.mask, other.mask)
        np.testing.assert_allclose(kernel.variable, other.variable, atol=1e-5)


@pytest.mark.few(2)
@every_way
@pytest.mark.parametrize("scaling", ["constant", "dynamic"])
def test_new_weights_do_not_depend_on_the_scale_of_the_loss(way, scaling):
    options = {
        "algorithm": "rigl",
        "sparsity": 0.5,
        "schedule": STEPS,
        "grow_init": grow_init.GrowInit("gradient", scale=-0.1),
    }
    optimizer = keras.optimizers.SGD(0.01, loss_scale_factor=1024.0)
    if scaling == "dynamic":
        optimizer = scaled(keras.optimizers.SGD(0.01))

    plain = train(way, linear(6), *regression(3), options)
    step = train(way, linear(6), *regression(3), options, optimizer)

    assert int(plain.num_changed) > 0
    assert_same_kernels(step, plain)


# What growth sees.


class Recorder(keras.callbacks.Callback):
    """Copies kernels and masks before step 2, which updates them."""

    def on_train_batch_begin(self, batch, logs=None):
        del logs
        if batch == 2:
            kernels = doors.kernels(self.model)
            self.weights = [np.array(k.variable) for k in kernels]
            self.masks = [np.array(k.mask) for k in kernels]


def gradients(weights, x, y):
    """d(mean squared error) / d(kernel) of linear layers side by side."""
    error = x @ np.concatenate(weights, axis=1) - y
    gradient = 2 * x.T @ error / error.size
    ends = np.cumsum([w.shape[1] for w in weights])[:-1]
    return np.split(gradient, ends, axis=1)


def dropped(weight, mask, fraction):
    order = np.argsort(np.where(mask, np.abs(weight), np.inf), axis=None)
    kept = mask.copy()
    kept.flat[order[: int(fraction * mask.sum())]] = False
    return kept


def grown(kept, scores, count):
    scores = np.where(kept, -np.inf, np.abs(scores))
    mask = kept.copy()
    mask.flat[np.argsort(-scores, axis=None)[:count]] = True
    return mask


@pytest.mark.few(5)
@every_way
@pytest.mark.parametrize("decay", DECAYS.values(), ids=DECAYS)
def test_growth_does_not_see_weight_decay(way, decay):
    recorder = Recorder()
    x, y = regression(3)

    step = train(
        way,
        linear(6, decay=decay),
        x,
        y,
        {
            "algorithm": "rigl",
            "sparsity": 0.5,
            "schedule": STEPS,
            "drop_fraction": schedules.Constant(0.5),
        },
        None,
        recorder,
    )

    (weight,), (mask,) = recorder.weights, recorder.masks
    (gradient,) = gradients([weight], x[2], y[2])
    kept = dropped(weight, mask, 0.5)
    expected = grown(kept, gradient, mask.sum() - kept.sum())
    np.testing.assert_array_equal(step.kernels[0].mask, expected)
    # The decay would have brought back connections that were just dropped.
    of_decay = 6 * weight if "L2" in str(decay) else 3 * np.sign(weight)
    wrong = grown(kept, gradient + of_decay, mask.sum() - kept.sum())
    assert np.any(wrong != expected)


@pytest.mark.few(1)
@every_way
@pytest.mark.parametrize("decay", DECAYS.values(), ids=DECAYS)
def test_layers_share_by_gradients_without_weight_decay(way, decay):
    recorder = Recorder()
    x, y = regression(3)
    y[..., :2] *= 10  # so that gradients of the first layer are larger

    step = train(
        way,
        linear(2, 4, decay=decay),
        x,
        y,
        {
            "algorithm": "rigl_sg",
            "sparsity": 0.6,
            "schedule": STEPS,
            "distribution": "uniform_all",
            "drop_fraction": schedules.Constant(0.5),
        },
        None,
        recorder,
    )

    def counts(of_decay):
        kept = [
            dropped(weight, mask, 0.5)
            for weight, mask in zip(
                recorder.weights, recorder.masks, strict=True
            )
        ]
        found = gradients(recorder.weights, x[2], y[2])
        means = np.array(
            [
                np.abs(g + of_decay(w))[k].mean()
                for g, w, k in zip(found, recorder.weights, kept, strict=True)
            ]
        )
        num_kept = np.array([k.sum() for k in kept])
        total = sum(m.sum() for m in recorder.masks) - num_kept.sum()
        parts = means / means.sum() * total
        whole = np.floor(parts).astype(int)
        whole[np.argsort(whole - parts)[: total - whole.sum()]] += 1
        return list(num_kept + whole)

    found = [int(kernel.count()) for kernel in step.kernels]
    assert found == counts(lambda weight: 0)
    l2 = "L2" in str(decay)
    assert found != counts(lambda w: 6 * w if l2 else 3 * np.sign(w))


# What is skipped.


def with_nan(num_steps):
    x, y = BATCHES(num_steps)
    x[2, 0, 0] = np.nan  # at step 2, when an update is due
    return x, y


BATCHES = doors.batches
skips = pytest.mark.filterwarnings("ignore:In epoch 1, 1 of 5 steps were")


@pytest.mark.few(1)
@skips
@pytest.mark.parametrize(
    "train",
    [
        lambda: doors.fit("rigl", l2=None),
        lambda: doors.fit("rigl", doors.OwnTrainStep, None),
        lambda: doors.loop("rigl", l2=None),
        lambda: doors.loop("rigl", tf.function, None),
        lambda: doors.distill("rigl"),
        lambda: doors.callback("rigl", l2=None),
    ],
    ids=["fit", "own train_step", "loop", "graph", "student", "callback"],
)
def test_every_way_skips_gradients_that_are_not_finite(train, monkeypatch):
    def expected():
        """The first update is put off from step 2 to step 3."""
        model = doors.sparse("rigl", l2=None)
        x, y = BATCHES(doors.NUM_STEPS)
        for i in range(doors.NUM_STEPS):
            if i == 2:
                model.step.assign_add(1)
                model.overdue.assign(True)
            else:
                model.train_on_batch(x[i], y[i])
        return model

    monkeypatch.setattr(doors, "batches", lambda: with_nan(doors.NUM_STEPS))

    model = train()

    step = find_sparse_step(model)
    doors.assert_same(model, expected())
    if step is not None:  # a callback has it
        assert int(step.num_skipped) == 1
        assert int(step.step) == doors.NUM_STEPS


def test_a_training_lets_go_of_its_graphs():
    graphs = []

    class Watching(rigl_tf.algorithms.RigL):
        def grow(self, view):
            graphs.append(weakref.ref(tf.compat.v1.get_default_graph()))
            return super().grow(view)

    model = rigl_tf.sparsify(
        linear(6), Watching(), sparsity=0.5, schedule=STEPS
    )
    model.compile(keras.optimizers.SGD(0.01), "mse")
    x, y = regression(4)
    model.fit(x.reshape(48, 8), y.reshape(48, 6), batch_size=12, verbose=0)
    del model
    gc.collect()

    assert graphs
    assert [graph() for graph in graphs] == [None] * len(graphs)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_finite_gradients_may_add_up_to_more_than_their_type_holds(jit_compile):
    largest = [
        tf.fill([8], tf.constant(dtype.max, dtype))
        for dtype in (tf.float16, tf.bfloat16, tf.float32, tf.float64)
    ]
    count = tf.function(gradient_step.count_non_finite, jit_compile=jit_compile)

    assert count(largest) == 0
    assert count([*largest, tf.constant([0.0, np.nan])]) == 1
    assert count([g * 2 for g in largest]) == 4
