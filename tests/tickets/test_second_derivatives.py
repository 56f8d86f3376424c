"""Second derivatives, through normalization too, and what they are for."""

import threading

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl
from tensorflow.python.ops import nn_impl

from rigl_tf import datasets
from rigl_tf import tickets
from rigl_tf.tickets.saliency import loss_functional
from rigl_tf.tickets.saliency import second_derivatives


@pytest.fixture(autouse=True)
def double_precision():
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)


@pytest.fixture
def eager():
    """Nothing to trace, and the same derivatives."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


class Own(kl.Layer):
    """A layer that takes moments itself."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, x):
        mean, variance = self.function(x)
        return (x - mean) / keras.ops.sqrt(variance + 1e-3)


class Masked(kl.Layer):
    """Batch normalization that leaves every other position out."""

    def __init__(self):
        super().__init__()
        self.norm = kl.BatchNormalization()

    def call(self, x, training=None):
        mask = tf.math.floormod(tf.range(tf.size(x[..., 0])), 2) == 0
        mask = tf.reshape(mask, tf.shape(x[..., 0]))
        return self.norm(x, training=training, mask=mask)


# Every layer of Keras that normalizes, in all its ways.
LAYERS = {
    kl.BatchNormalization: [{}, {"axis": 1}, {"synchronized": True}],
    kl.GroupNormalization: [{"groups": 3}],
    kl.LayerNormalization: [{}],
    kl.Normalization: [{"mean": 0.5, "variance": 2.0}],
    kl.RMSNormalization: [{}],
    # Its vectors are constants by definition: only what comes before it.
    kl.SpectralNormalization: [{"layer": None}],
    kl.UnitNormalization: [{}],
}
OWN = {
    "tf.nn.moments": lambda x: tf.nn.moments(x, [0]),
    "keras.ops.moments": lambda x: keras.ops.moments(x, [0]),
    "keras.ops.var": lambda x: (keras.ops.mean(x, 0), keras.ops.var(x, 0)),
}


def made(kind, kwargs):
    if kind is kl.SpectralNormalization:
        return kind(kl.Dense(4))
    return kind(**kwargs)


MAKERS = {
    f"{kind.__name__} {kwargs}": lambda kind=kind, kwargs=kwargs: made(
        kind, kwargs
    )
    for kind, ways in LAYERS.items()
    for kwargs in ways
}
MAKERS |= {name: lambda f=f: Own(f) for name, f in OWN.items()}
MAKERS["masked"] = Masked


def test_every_normalization_of_keras_is_here():
    found = {
        layer
        for name, layer in vars(kl).items()
        if name.endswith("Normalization") and isinstance(layer, type)
    }

    assert found == set(LAYERS)


@pytest.mark.few(19)
@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("shape", [(6,), (3, 2, 6)], ids=["flat", "maps"])
@pytest.mark.parametrize("name", MAKERS)
def test_hessians_are_those_of_finite_differences(name, shape):
    keras.utils.set_random_seed(0)
    first, layer = kl.Dense(6, use_bias=False), MAKERS[name]()
    model = keras.Sequential([keras.Input(shape), first, layer])
    variables = first.trainable_variables
    if not isinstance(layer, kl.SpectralNormalization):
        variables = model.trainable_variables
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(8, *shape)))
    factors = rng.normal(size=model(x).shape)
    network = loss_functional.LossFunctional(
        model, variables, lambda *args: tf.reduce_sum(factors * args[1] ** 2)
    )
    values, batches = network.values, [(x, tf.zeros(8))]
    vector = [tf.constant(rng.normal(size=v.shape)) for v in values]

    found = network.times_hessian(values, vector, batches)

    step = 1e-5
    higher, lower = (
        network.gradient(
            [v + s * d for v, d in zip(values, vector, strict=True)], batches
        )
        for s in (step, -step)
    )
    for product, high, low in zip(found, higher, lower, strict=True):
        expected = (high - low) / (2 * step)
        size = np.abs(expected).max()
        np.testing.assert_allclose(product, expected, 0, 1e-5 * size + 1e-7)


class Product(kl.Layer):
    """Resizing as a product with a matrix, that of what it makes of ones."""

    def __init__(self, resizing, shape):
        super().__init__()
        size = int(np.prod(shape))
        rows = resizing(np.eye(size).reshape(size, *shape))
        self.shape, self.matrix = rows.shape[1:], tf.reshape(rows, (size, -1))

    def call(self, x):
        flat = tf.reshape(x, (-1, len(self.matrix)))
        flat = flat @ tf.cast(self.matrix, x.dtype)
        return tf.reshape(flat, (-1, *self.shape))


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(
    "resizing",
    [
        kl.UpSampling2D(2, interpolation="bilinear"),
        kl.UpSampling2D(2, interpolation="nearest"),
        kl.Resizing(2, 5),
    ],
    ids=str,
)
def test_hessians_go_through_what_resizes(resizing):
    rng = np.random.default_rng(0)
    x, found = tf.constant(rng.normal(size=(4, 3, 4, 2))), []
    weights, vector = rng.normal(size=(2, 2, 2))
    for layer in (resizing, Product(resizing, (3, 4, 2))):
        first = kl.Dense(2, "tanh", use_bias=False)
        model = keras.Sequential([keras.Input((3, 4, 2)), first, layer])
        network = loss_functional.LossFunctional(
            model, [first.kernel], lambda *args: tf.reduce_sum(args[1] ** 2)
        )
        batches = [(x, tf.zeros(4))]
        values = [tf.constant(weights)], [tf.constant(vector)]
        found.append(network.gradient(values[0], batches))
        found.append(network.times_hessian(*values, batches))

    np.testing.assert_allclose(found[:2], found[2:], 1e-5)


def test_what_cannot_be_differentiated_twice_is_refused():
    model = keras.Sequential([keras.Input((4,)), kl.Dense(3, "softsign")])
    model.compile("sgd", "mse")
    data = np.ones((8, 4)), np.ones((8, 3))
    for finder in (tickets.GraSP(num_batches=1), tickets.ProsPr(1)):
        with pytest.raises(ValueError, match=r"Softsign.*`SNIP`.*order="):
            finder.find(model, data, 0.5, batch_size=4)
    ticket = tickets.ProsPr(1, order="first").find(
        model, data, 0.5, batch_size=4
    )
    assert ticket.density == 0.5


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("keepdims", [False, True])
def test_exact_moments_have_the_values_of_others(dtype, keepdims):
    x = np.random.default_rng(0).normal(size=(5, 4, 3)).astype(dtype)
    expected = tf.nn.moments(tf.constant(x), [0, 2], keepdims=keepdims)

    with second_derivatives.exact():
        found = tf.nn.moments(tf.constant(x), [0, 2], keepdims=keepdims)

    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype == dtype
        np.testing.assert_array_equal(one, other)


def test_moments_are_exact_in_their_context_alone():
    before = nn_impl.moments

    with (
        pytest.raises(KeyError),
        second_derivatives.exact(),
        second_derivatives.exact(),
    ):
        assert nn_impl.moments is not before
        raise KeyError

    assert nn_impl.moments is before


def test_moments_are_as_before_when_two_threads_overlap():
    before, entered = nn_impl.moments, threading.Event()
    exact = []

    def second():
        with second_derivatives.exact():
            entered.set()
            exact.append(nn_impl.moments is not before)

    with second_derivatives.exact():
        thread = threading.Thread(target=second)
        thread.start()
        assert not entered.wait(0.05)
    thread.join()

    assert exact == [True]
    assert nn_impl.moments is before


# A residual network of Keras, and the same without.

KERNELS = ("first", "second", "last")


def residual():
    inputs = keras.Input((5, 5, 2))
    x = kl.Conv2D(4, 3, padding="same", name="first")(inputs)
    x = kl.ReLU()(kl.BatchNormalization()(x))
    y = kl.Conv2D(4, 3, padding="same", use_bias=False, name="second")(x)
    y = kl.ReLU()(kl.Add()([kl.BatchNormalization()(y), x]))
    outputs = kl.Dense(3, name="last")(kl.GlobalAveragePooling2D()(y))
    model = keras.Model(inputs, outputs)
    model.compile(
        "sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    return model


def normalized(x, gamma, beta):
    x = x - tf.reduce_mean(x, [0, 1, 2])
    variance = tf.reduce_mean(x * x, [0, 1, 2])
    return x / tf.sqrt(variance + 1e-3) * gamma + beta


def cross_entropy(values, batch, temperature=1.0):
    first, bias1, gamma1, beta1, second, gamma2, beta2, last, bias2 = values
    x, labels = tf.cast(batch[0], tf.float64), tf.cast(batch[1], tf.int32)
    x = tf.nn.conv2d(x, first, 1, "SAME") + bias1
    x = tf.nn.relu(normalized(x, gamma1, beta1))
    y = tf.nn.conv2d(x, second, 1, "SAME")
    y = tf.nn.relu(normalized(y, gamma2, beta2) + x)
    logits = tf.reduce_mean(y, [1, 2]) @ last + bias2
    logs = tf.nn.log_softmax(logits / temperature)
    return -tf.reduce_mean(tf.gather(logs, labels, batch_dims=1))


def grasp(values, batches):
    kernels = [values[i] for i in (0, 4, 7)]
    with tf.GradientTape() as outer:
        outer.watch(kernels)
        with tf.GradientTape() as inner:
            inner.watch(kernels)
            now = list(values)
            now[0], now[4], now[7] = kernels
            loss = sum(cross_entropy(now, b, 200.0) for b in batches)
        gradient = inner.gradient(loss, kernels)
        half = sum(tf.reduce_sum(g * g) for g in gradient) / 2
    return [
        w * hg
        for w, hg in zip(kernels, outer.gradient(half, kernels), strict=True)
    ]


def prospr(values, batches, momentum):
    masks = [tf.ones_like(values[i]) for i in (0, 4, 7)]
    with tf.GradientTape() as outer:
        outer.watch(masks)
        now = list(values)
        for i, mask in zip((0, 4, 7), masks, strict=True):
            now[i] = now[i] * mask
        velocity = [0.0] * len(now)
        for batch in batches[:-1]:
            with tf.GradientTape() as inner:
                inner.watch(now)
                loss = cross_entropy(now, batch)
            gradient = inner.gradient(loss, now)
            velocity = [
                momentum * v + g
                for v, g in zip(velocity, gradient, strict=True)
            ]
            now = [w - 0.1 * v for w, v in zip(now, velocity, strict=True)]
        loss = cross_entropy(now, batches[-1])
    return [abs(g) for g in outer.gradient(loss, masks)]


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("finder", "scores", "num"),
    [
        (tickets.GraSP(), grasp, 2),
        (tickets.ProsPr(), lambda *args: prospr(*args, 0.0), 4),
        (tickets.ProsPr(momentum=0.9), lambda *args: prospr(*args, 0.9), 4),
    ],
    ids=["grasp", "prospr", "prospr with momentum"],
)
def test_masks_are_those_of_the_formulas(finder, scores, num):
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 5, 5, 2)), rng.integers(0, 3, 64)
    data = datasets.from_arrays(
        "random", train=(x, y), test=(x, y), num_classes=3, batch_size=16
    )
    model = residual()
    values = [tf.convert_to_tensor(v) for v in model.trainable_variables]

    ticket = finder.find(model, data, 0.1)

    batches = list(data.train(0).take(num))
    found = [score.numpy() for score in scores(values, batches)]
    ranked = np.sort(np.concatenate([score.ravel() for score in found]))
    lowest = ranked[-sum(mask.sum() for mask in ticket.masks.values())]
    ratios = []
    for name, score in zip(KERNELS, found, strict=True):
        np.testing.assert_array_equal(ticket.masks[name], score >= lowest)
        ratios.extend((ticket.scores[name] / score).ravel())
    # All the same, so that masks are the same at every density.
    assert ratios == pytest.approx([ratios[0]] * len(ratios), rel=1e-6)
