"""What does nothing goes; everything else computes what it did."""

import contextlib
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

import rigl_tf
from rigl_tf.deploy import condensing
from rigl_tf.deploy import shrinking


def arrays(model):
    return [np.asarray(weight) for weight in model.weights]


def shapes(model):
    return [tuple(weight.shape) for weight in model.weights]


def shrunk(inputs, outputs):
    """The smaller model, without the report."""
    return rigl_tf.shrink(keras.Model(inputs, outputs))[0]


def kernel(values, layer=kl.Dense, **kwargs):
    """A layer with the given kernel and biases of 1, 2, ..."""
    values = np.asarray(values, "float32")
    kwargs.setdefault("use_bias", True)
    if layer is kl.Dense:
        made = kl.Dense(values.shape[-1], **kwargs)
    else:
        made = layer(values.shape[-1], values.shape[:-2], **kwargs)
    made.build((None,) * (values.ndim - 1) + (values.shape[-2],))
    made.kernel.assign(values)
    if made.use_bias:
        made.bias.assign(1.0 + np.arange(values.shape[-1]))
    return made


def test_what_a_neuron_without_inputs_gives_goes_into_the_next_bias():
    x = keras.Input((1,))
    hidden = kernel([[5, 0]], activation="relu")(x)  # the second gives 2
    model = shrunk(x, kernel([[1, 2], [10, 20]])(hidden))

    first, bias, second, folded = arrays(model)

    assert (first, bias) == (5, 1)
    np.testing.assert_array_equal(second, [[1, 2]])
    np.testing.assert_array_equal(folded, [1 + 2 * 10, 2 + 2 * 20])


def test_a_layer_without_a_bias_gets_one_if_there_is_something_to_fold():
    x = keras.Input((1,))
    hidden = kernel([[5, 0]])(x)
    model = shrunk(x, kernel([[1, 2], [10, 20]], use_bias=False)(hidden))

    np.testing.assert_array_equal(arrays(model)[-1], [20, 40])


def test_a_neuron_that_feeds_nothing_goes_and_what_only_feeds_it():
    x = keras.Input((1,))
    y = kernel([[1, 1]])(x)
    y = kernel([[1, 0], [0, 1]])(y)
    model = shrunk(x, kernel([[1], [0]])(y))

    assert shapes(model) == [(1, 1), (1,), (1, 1), (1,), (1, 1), (1,)]


def test_an_einsum_dense_over_one_dimension_is_like_a_dense_layer():
    x = keras.Input((5, 2))
    hidden = kl.EinsumDense("abc,cd->abd", (None, 3), bias_axes="d")
    last = kl.EinsumDense("...c,cd->...d", 1)
    y = last(hidden(x))
    hidden.set_weights([np.array([[7, 0, 8], [9, 0, 0]]), np.array([1, 2, 3])])
    last.set_weights([np.array([[1], [10], [0]])])

    first, bias, second, folded = arrays(shrunk(x, y))

    np.testing.assert_array_equal(first, [[7], [9]])
    assert (bias, second, folded) == (1, 1, 20)


def test_an_einsum_dense_over_several_dimensions_stays():
    x = keras.Input((3,))
    y = kl.EinsumDense("ab,bcd->acd", (4, 5), kernel_initializer="zeros")(x)
    y = kl.EinsumDense("abc,bcd->ad", 2)(y)

    assert shapes(shrunk(x, y)) == [(3, 4, 5), (4, 5, 2)]


def test_all_of_a_dead_network_is_folded():
    x = keras.Input((3,))
    y = kernel(np.zeros((3, 2)))(x)  # 1 and 2
    model = shrunk(x, kernel([[10], [100]])(y))

    assert shapes(model) == [(3, 1), (1,), (1, 1), (1,)]
    np.testing.assert_array_equal(model(np.ones((1, 3))), [[211]])


def test_biases_can_make_a_neuron_without_inputs_nothing():
    x = keras.Input((2,))
    hidden = kernel([[1, 0], [1, 0]], activation="sigmoid")
    hidden.bias.assign([0, -1000])  # sigmoid: 0
    model = shrunk(x, kernel([[1], [1]], use_bias=False)(hidden(x)))

    assert shapes(model) == [(2, 1), (1,), (1, 1)]


@pytest.mark.parametrize(
    ("padding", "value", "left"),
    [("valid", 2.0, 1), ("same", 2.0, 2), ("same", 0.0, 1)],
)
def test_borders_of_zeros_keep_a_channel_unless_it_is_zero(
    padding, value, left
):
    x = keras.Input((5, 5, 1))
    hidden = kernel([[[[3, 0]]]], kl.Conv2D)
    hidden.bias.assign([1, value])
    y = kernel(np.ones((3, 3, 2, 1)), kl.Conv2D, padding=padding)(hidden(x))

    assert shapes(shrunk(x, y))[0] == (1, 1, 1, left)


def test_a_channel_stays_while_it_is_needed_on_one_side_of_a_sum():
    x = keras.Input((1,))
    one, two = kernel([[1, 0, 0]])(x), kernel([[0, 1, 0]])(x)
    sum_ = kl.Add()([one, two])
    model = shrunk(x, kernel([[1], [1], [1]])(sum_))

    assert shapes(model)[0] == shapes(model)[2] == (1, 2)  # the third is 6
    assert arrays(model)[-1] == 1 + 6


def test_products_with_zero_are_zero():
    x = keras.Input((1,))
    one, two = kernel([[1, 1]])(x), kernel([[1, 0]], use_bias=False)(x)
    model = shrunk(x, kernel([[1], [1]])(kl.Multiply()([one, two])))

    assert shapes(model)[0] == (1, 1)


def test_channels_are_followed_through_concatenation_and_flattening():
    x = keras.Input((2, 2, 1))
    one = kernel([[[[1, 0]]]], kl.Conv2D)(x)
    two = kernel([[[[0, 1, 1]]]], kl.Conv2D)(x)
    y = kl.Flatten()(kl.Concatenate()([one, two]))
    after = np.zeros((4, 5, 1))
    after[:, :4] = 1  # the last channel feeds nothing
    model = shrunk(x, kernel(after.reshape(20, 1))(y))

    assert shapes(model) == [
        (1, 1, 1, 1), (1,), (1, 1, 1, 1), (1,), (8, 1), (1,)
    ]  # fmt: skip
    assert arrays(model)[-1] == 1 + 4 * 2 + 4 * 1


def test_a_new_axis_of_channels_is_no_flattening():
    x = keras.Input((4,))
    y = kl.Reshape((4, 1))(kernel([[1, 0, 1, 1]] * 4)(x))
    y = kl.Flatten()(kernel([[[1, 0]]], kl.Conv1D)(y))

    smaller = shrunk(x, kernel(np.ones((8, 1)))(y))

    assert shapes(smaller)[0] == (4, 4)
    assert shapes(smaller)[2] == (1, 1, 1)


def test_a_depthwise_convolution_loses_the_channels_that_go_in():
    x = keras.Input((4, 4, 1))
    y = kernel([[[[1, 0, 1]]]], kl.Conv2D)(x)
    depthwise = kl.DepthwiseConv2D(3, depth_multiplier=2)
    y = depthwise(y)
    depthwise.bias.assign(np.arange(6.0))
    last = np.ones((1, 1, 6, 1))
    last[:, :, 5] = 0  # but its twin, 4, is needed
    model = shrunk(x, kernel(last, kl.Conv2D)(y))

    assert shapes(model)[2] == (3, 3, 2, 2)


def test_normalization_loses_its_channels_too():
    x = keras.Input((3,))
    y = kernel([[1, 1, 0]] * 3, use_bias=False)(x)
    normalize = kl.BatchNormalization()
    y = normalize(y)
    normalize.gamma.assign([1, 0, 1])
    normalize.beta.assign([1, 2, 3])
    model = shrunk(x, kernel([[1], [10], [100]])(kl.ReLU()(y)))

    assert shapes(model)[:5] == [(3, 1), (1,), (1,), (1,), (1,)]
    assert arrays(model)[-1] == 1 + 2 * 10 + 3 * 100


def through(name, x):
    """Calls of layers that mix channels, or of which nothing is known."""
    shared = kl.Dense(4)
    wide = kl.Reshape((2, 2))
    calls = {
        "normalized over channels": kl.LayerNormalization(),
        "softmax": kl.Softmax(),
        "used twice": lambda x: shared(shared(x)),
        "dot product": lambda x: kl.Dot(1, normalize=True)([x, x]),
        "reshaped": wide,
        "other axis": lambda x: kl.BatchNormalization(axis=1)(wide(x)),
        "slice": lambda x: x[:, 1:],
        "array": lambda x: x * np.arange(4.0, dtype="float32"),
        "training": lambda x: kl.BatchNormalization()(x, training=True),
        "recurrent": lambda x: kl.GRU(3)(wide(x)),
        "attention": lambda x: kl.MultiHeadAttention(2, 2)(wide(x), wide(x)),
    }
    return calls[name](x) if name else sorted(calls)


@pytest.mark.few(3)
@pytest.mark.parametrize("name", through("", None))
def test_what_an_unknown_operation_takes_and_gives_stays(name):
    x = keras.Input((3,))
    hidden = kernel([[1, 0, 0, 1]] * 3)(x)
    y = kl.Flatten()(through(name, hidden))
    last = np.ones((y.shape[-1], 1))
    last[0] = 0
    smaller = shrunk(x, kernel(last)(y))

    assert shapes(smaller)[0] == (3, 4)
    assert smaller.layers[-1].kernel.shape == last.shape


def test_activations_of_several_channels_keep_them():
    x = keras.Input((3,))
    y = kernel([[1, 0, 0, 1]] * 3, activation="softmax")(x)

    assert shapes(shrunk(x, kernel([[1], [0], [0], [0]])(y)))[0] == (3, 4)


def test_nested_models_are_opened():
    x = keras.Input((3,))
    inner = keras.Sequential(
        [keras.Input((2,)), kernel([[1, 0], [1, 0]], name="one")]
    )
    outer = keras.Sequential([keras.Input((2,)), inner])
    y = outer(kernel([[1, 0]] * 3, name="one")(x), training=False)
    model = shrunk(x, kernel([[1], [1]], name="last")(y))

    assert [layer.name for layer in model.layers[1:]] == [
        "one", "one_1", "last",
    ]  # fmt: skip
    assert shapes(model)[::2] == [(3, 1), (1, 1), (1, 1)]


def test_a_model_used_twice_stays_as_it_is():
    x = keras.Input((2,))
    twin = keras.Sequential([keras.Input((2,)), kernel([[1, 0], [1, 0]])])
    model = shrunk(x, kernel([[1], [1]])(twin(twin(x))))

    assert shapes(model) == [(2, 2), (2,), (2, 1), (1,)]


def test_grouped_convolutions_stay():
    x = keras.Input((4, 4, 2))
    y = kernel(np.zeros((1, 1, 2, 4)), kl.Conv2D)(x)
    y = kl.Conv2D(2, 1, groups=2)(y)

    assert shapes(shrunk(x, y))[0] == (1, 1, 2, 4)


def test_what_is_small_already_stays_as_it_is():
    x = keras.Input((4,))
    hidden = kernel([[1, 0, 1, 1]] * 4, activation="relu")(x)
    once = shrunk(x, kernel([[1], [1], [1], [0]])(hidden))

    twice, report = rigl_tf.shrink(once)

    assert shapes(once) == shapes(twice)
    for one, other in zip(arrays(once), arrays(twice), strict=True):
        np.testing.assert_array_equal(one, other)
    assert report.parameters == (once.count_params(),) * 2


def test_the_model_itself_is_left_alone():
    x = keras.Input((4,))
    model = keras.Model(x, kernel([[1]] * 2)(kernel([[1, 0]] * 4)(x)))
    before = arrays(model)

    rigl_tf.shrink(model)

    for one, other in zip(before, arrays(model), strict=True):
        np.testing.assert_array_equal(one, other)


def test_flops_before_and_after_include_the_zeros():
    x = keras.Input((4,))
    network = keras.Model(x, keras.layers.Dense(6)(keras.layers.Dense(8)(x)))
    model = rigl_tf.sparsify(network, "static", sparsity=0.5)

    _, report = rigl_tf.shrink(model)

    assert report.flops[0] == 2 * (4 * 8 + 8 * 6)


def test_it_says_what_it_was_worth():
    x = keras.Input((4,))
    y = kernel([[1, 0]] * 4, name="hidden")(x)
    _, report = rigl_tf.shrink(
        keras.Model(x, kernel([[1], [1]], name="last")(y))
    )

    assert report.units == {"hidden": (2, 1), "last": (1, 1)}
    assert report.parameters == (8 + 2 + 2 + 1, 4 + 1 + 1 + 1)
    assert report.flops == (2 * (8 + 2), 2 * (4 + 1))
    assert report.largest_difference < 1e-6
    assert all(time > 0 for time in report.milliseconds)
    lines = report.table().splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == [
        "hidden, units", "units", "parameters", "FLOPs", "ms",
    ]  # fmt: skip
    assert "0.538" in lines[4]


def test_a_model_that_would_compute_something_else_is_refused(monkeypatch):
    x = keras.Input((2,))
    model = keras.Model(x, kl.Dense(2)(x))
    monkeypatch.setattr(
        shrinking.shrink_model.equivalence,
        "difference_by_name",
        lambda *_: 2e-5,
    )

    with pytest.raises(ValueError, match="cannot be shrunk.*2.0e-05"):
        rigl_tf.shrink(model)


def test_a_subclassed_model_is_refused():
    class Mine(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(TypeError, match="subclassed"):
        rigl_tf.shrink(Mine())


def test_what_differs_from_the_model_that_was_passed_in_is_refused(monkeypatch):
    x = keras.Input((2,))
    model = keras.Model(x, kl.Dense(2)(x))
    copy = keras.models.clone_model(model)  # with other weights
    monkeypatch.setattr(
        sys.modules["rigl_tf.deploy.shrinking.shrink_model"],
        "densified",
        lambda model: contextlib.nullcontext(copy),
    )

    with pytest.raises(ValueError, match="cannot be shrunk"):
        rigl_tf.shrink(model)


def adapted(name):
    """A layer with more than weights, and examples for it."""
    if name == "words":
        x = np.array([["a", "b"], ["c", "a"]])
        layer = kl.StringLookup(output_mode="multi_hot")
    else:
        x = np.random.default_rng(0).normal(50, 10, (16, 8)).astype("float32")
        layer = {
            "normalization": kl.Normalization,
            "discretization": lambda: kl.Discretization(num_bins=3),
        }[name]()
    layer.adapt(x)
    return layer, x


@pytest.mark.parametrize("name", ["normalization", "discretization", "words"])
def test_what_a_layer_was_adapted_to_is_kept(name):
    layer, samples = adapted(name)
    dtype = "string" if name == "words" else "float32"
    x = keras.Input(samples.shape[1:], dtype=dtype)
    y = keras.ops.cast(layer(x), "float32")
    size = y.shape[-1]
    hidden = kernel([[1, 0]] * size)(y)
    model = keras.Model(x, kernel([[1], [0]])(hidden))

    smaller, report = rigl_tf.shrink(model, samples=samples)

    assert shapes(smaller)[-4] == (size, 1)
    assert report.largest_difference < 1e-5
    np.testing.assert_allclose(
        smaller(tf.constant(samples)), model(tf.constant(samples)), rtol=1e-5
    )


@pytest.mark.parametrize("make", [rigl_tf.shrink, condensing.condense])
def test_functions_of_ones_own_are_kept(make):
    def relu(x):  # has the name of one of Keras's
        return keras.ops.clip(x, 0, 0.1)

    def double(x):
        return 2 * x

    # Before, Keras took no function there.
    penalty = keras.ops.sum if keras.__version__ >= "3.15" else None
    model = keras.Sequential(
        [
            keras.Input((8,)),
            kernel(np.eye(8)[:, :4], activation=relu),
            kl.Lambda(double),
            kl.Dense(4, kernel_regularizer=penalty),
        ]
    )

    made = make(model)
    smaller = made[0] if isinstance(made, tuple) else made

    x = np.ones((2, 8))
    np.testing.assert_allclose(smaller(x), model(x), rtol=1e-5)
    with pytest.raises(ValueError, match="'lstm'.*custom_object_scope"):
        make(
            keras.Sequential(
                [
                    keras.Input((3, 8)),
                    kl.LSTM(2, activation=double, name="lstm"),
                    kernel(np.eye(8)[:2, :4]),
                ]
            )
        )


def test_the_layers_of_a_nested_model_are_left_alone():
    x = keras.Input((3,))
    inner = keras.Sequential(
        [keras.Input((2,)), kernel([[1, 0], [1, 0]], name="one")]
    )
    model = keras.Model(x, inner(kernel([[1, 0]] * 3, name="one")(x)))
    model.compile("sgd", "mse")
    optimizer = model.optimizer

    smaller, _ = rigl_tf.shrink(model)

    assert inner.layers[0].name == "one"
    assert inner.layers[0].output.shape == (None, 2)  # it was called once
    assert model.layers[1].output.shape == (None, 2)
    assert model.optimizer is optimizer and model.compiled
    assert not smaller.compiled


def test_dictionaries_of_inputs_and_outputs_are_shrunk():
    a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b")
    hidden = kernel([[1, 0]] * 5)(kl.Concatenate()([a, b]))
    z, y = kernel([[1], [0]], name="z"), kernel([[2], [0]], name="y")
    model = keras.Model({"b": b, "a": a}, {"z": z(hidden), "y": y(hidden)})

    smaller, report = rigl_tf.shrink(model)

    assert report.largest_difference < 1e-6
    x = {"a": np.ones((1, 3)), "b": np.ones((1, 2))}
    assert smaller(x).keys() == {"z", "y"}
    np.testing.assert_allclose(smaller(x)["y"], model(x)["y"])


def test_a_fixed_batch_is_kept():
    x = keras.Input(batch_shape=(2, 4))
    model = keras.Model(x, kernel([[1], [1]])(kernel([[1, 0]] * 4)(x)))

    smaller, report = rigl_tf.shrink(model)

    assert smaller.input_shape == (2, 4)
    assert report.milliseconds[0] > 0


def test_open_shapes_are_those_of_the_samples():
    words = keras.Input((None,), dtype="string")
    y = kl.Embedding(3, 3)(kl.StringLookup(vocabulary=["a", "b"])(words))
    y = kl.GlobalAveragePooling1D()(kernel([[1, 0]] * 3)(y))
    model = keras.Model(words, kernel([[1], [1]])(y))

    smaller, report = rigl_tf.shrink(model, samples=np.full((2, 7), "b"))

    assert smaller.input_shape == (None, None)
    assert report.flops == (2 * (7 * 6 + 2), 2 * (7 * 3 + 1))
