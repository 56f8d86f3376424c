"""Whether zeros are skipped on ARM: a network for each thing to know."""

import functools
import re

import keras
import numpy as np
import pytest
from keras import layers as kl

import rigl_tf
from rigl_tf import models
from rigl_tf import xnnpack


def first(*, pad=1, size=3, **kwargs):
    """The first convolution, `conv`, and what pads before it."""
    kwargs = {"strides": 2, **kwargs}

    def apply(x):
        x = kl.ZeroPadding2D(pad)(x) if pad else x
        return kl.Conv2D(20, size, name="conv", **kwargs)(x)

    return apply


def depthwise(size=3, *, pad=0, **kwargs):
    """A depthwise convolution, `dw`, and what pads before it."""

    def apply(x):
        x = kl.ZeroPadding2D(pad, name="pad")(x) if pad else x
        return kl.DepthwiseConv2D(size, name="dw", **kwargs)(x)

    return apply


def conv1x1(name="1x1", **kwargs):
    return kl.Conv2D(20, 1, name=name, **kwargs)


def beside(merge):
    """Two branches, merged."""
    return lambda x: merge([x, conv1x1("branch")(x)])


def squeeze_excite(x):
    y = kl.GlobalAveragePooling2D(keepdims=True)(x)
    y = conv1x1("squeeze", activation="relu")(y)
    y = conv1x1("excite", activation="sigmoid")(y)
    return kl.Multiply(name="scale")([x, y])


def normalized_beside(x):
    x = conv1x1()(x)
    return kl.Add()([x, kl.BatchNormalization(name="bn")(x)])


def padded_for_two(x):
    x = kl.ZeroPadding2D(1, name="pad")(x)
    both = [kl.DepthwiseConv2D(3)(x), kl.DepthwiseConv2D(3)(x)]
    return kl.Add()(both)


def network(start=None, middle=(), end=None, channels=3):
    """A network whose zeros are skipped, but for what is put in."""
    inputs = keras.Input((16, 16, channels))
    x = kl.ReLU()((start or first())(inputs))
    for part in middle:
        x = part(x)
    x = conv1x1("last")(x)
    x = (end or kl.GlobalAveragePooling2D())(x)
    return keras.Model(inputs, x, name="net")


def sparse(model, sparsity=0.9):
    return rigl_tf.sparsify(
        model,
        rigl_tf.algorithms.Static(),
        sparsity=sparsity,
        distribution="uniform_all",
    )


USED = {
    "the network as it is": {},
    "pixels are scaled before": {
        "start": lambda x: first()(kl.Rescaling(1 / 255, offset=-1)(x))
    },
    "depthwise of stride 1, same": {"middle": [depthwise(padding="same")]},
    "depthwise of stride 1, padded": {"middle": [depthwise(pad=1)]},
    "depthwise of stride 2, padded": {"middle": [depthwise(pad=1, strides=2)]},
    "depthwise of 5x5": {"middle": [depthwise(5, pad=2, strides=2)]},
    "ReLU6": {"middle": [kl.ReLU(6.0)]},
    "hard_silu": {"middle": [kl.Activation("hard_silu")]},
    "silu as an operation": {"middle": [keras.ops.silu]},
    "relu as an operation": {"middle": [keras.activations.relu]},
    "gelu in a convolution": {"middle": [conv1x1(activation="gelu")]},
    "normalization": {"middle": [conv1x1(), kl.BatchNormalization()]},
    "normalization behind dropout": {
        "middle": [conv1x1(), kl.Dropout(0.5), kl.BatchNormalization()]
    },
    "a sum": {"middle": [beside(kl.Add())]},
    "a sum by +": {"middle": [beside(lambda both: both[0] + both[1])]},
    "a product": {"middle": [beside(kl.Multiply())]},
    "pooling that keeps dimensions": {
        "end": kl.GlobalAveragePooling2D(keepdims=True)
    },
}


@pytest.mark.parametrize("name", USED)
def test_zeros_are_skipped(name):
    verdict = xnnpack.check(sparse(network(**USED[name])))

    assert verdict.used, str(verdict)
    assert verdict.sparsity == pytest.approx(0.9)


PADDED = r"ZeroPadding2D\(1\) before it with padding='valid'"
NOT_USED = {
    "first convolution same": (
        {"start": first(pad=None, padding="same")},
        "conv",
        f"needs {PADDED}",
    ),
    "first convolution padded on one side": (
        {"start": first(pad=((0, 1), (0, 1)))},
        "conv",
        f"needs {PADDED}",
    ),
    "first convolution of stride 1": (
        {"start": first(pad=None, strides=1, padding="same")},
        "conv",
        f"needs a stride of 2 and {PADDED}",
    ),
    "first convolution of 5x5": (
        {"start": first(size=5)},
        "conv",
        "first convolution needs a 3x3 kernel",
    ),
    "first convolution of 1x1": (
        {"start": first(size=1, pad=None, strides=1)},
        "conv",
        "first convolution needs a 3x3 kernel, a stride of 2 and Zero",
    ),
    "first convolution depthwise": (
        {"start": depthwise(pad=1, strides=2)},
        "dw",
        "needs to be a 3x3 Conv2D with a stride of 2",
    ),
    "one channel": ({"channels": 1}, "conv", "needs 3 channels that come in"),
    "depthwise of stride 2, same": (
        {"middle": [depthwise(strides=2, padding="same")]},
        "dw",
        f"needs {PADDED}",
    ),
    "depthwise of 5x5, padded too little": (
        {"middle": [depthwise(5, pad=1, strides=2)]},
        "dw",
        r"needs ZeroPadding2D\(2\) before it",
    ),
    "depthwise of stride 1, not padded": (
        {"middle": [depthwise()]},
        "dw",
        "needs padding='same'",
    ),
    "depthwise of 7x7": (
        {"middle": [depthwise(7, padding="same")]},
        "dw",
        "needs a 3x3 or 5x5 kernel",
    ),
    "depthwise of stride 3": (
        {"middle": [depthwise(pad=1, strides=3)]},
        "dw",
        "needs a stride of 1 or 2",
    ),
    "depthwise and dilated": (
        {"middle": [depthwise(padding="same", dilation_rate=2)]},
        "dw",
        "needs dilation_rate=1",
    ),
    "depthwise into two": (
        {"middle": [depthwise(padding="same", depth_multiplier=2)]},
        "dw",
        "needs depth_multiplier=1",
    ),
    "squeeze-and-excitation": (
        {"middle": [squeeze_excite]},
        "scale",
        "different shapes, as squeeze-and-excitation does",
    ),
    "1x1 of stride 2": (
        {"middle": [conv1x1(strides=2)]},
        "1x1",
        "A 1x1 convolution needs a stride of 1",
    ),
    "1x1 in groups": (
        {"middle": [conv1x1(groups=2)]},
        "1x1",
        "A 1x1 convolution needs groups=1",
    ),
    "1x1 dilated": (
        {"middle": [conv1x1(dilation_rate=2)]},
        "1x1",
        "A 1x1 convolution needs dilation_rate=1",
    ),
    "an ordinary 3x3 convolution": (
        {"middle": [kl.Conv2D(20, 3, padding="same", name="3x3")]},
        "3x3",
        "3x3 are computed densely.*Take a depthwise and a 1x1 one",
    ),
    "a difference": (
        {"middle": [beside(kl.Subtract(name="minus"))]},
        "minus",
        "Subtract was not found.*Leave it out",
    ),
    "a concatenation": (
        {"middle": [beside(kl.Concatenate(name="both"))]},
        "both",
        "Concatenate was not found.*Take Add",
    ),
    "a constant": (
        {"middle": [lambda x: x * 2.0]},
        "multiply",
        "takes a constant",
    ),
    "max pooling": (
        {"middle": [kl.MaxPooling2D(name="max")]},
        "max",
        "MaxPooling2D was not found.*depthwise convolution with a stride of 2",
    ),
    "an activation that was not tried": (
        {"middle": [conv1x1(activation="selu")]},
        "1x1",
        "activation was not found .*gelu, hard_silu, linear",
    ),
    "a leaky ReLU": (
        {"middle": [kl.ReLU(negative_slope=0.1, name="relu")]},
        "relu",
        "needs max_value=None or 6",
    ),
    "normalization behind a sum": (
        {"middle": [beside(kl.Add()), kl.BatchNormalization(name="bn")]},
        "bn",
        "folded into a convolution if it comes right after one",
    ),
    "normalization behind an activation": (
        {
            "middle": [
                conv1x1(activation="relu"),
                kl.BatchNormalization(name="bn"),
            ]
        },
        "bn",
        "one that has no activation",
    ),
    "normalization of what is used without it": (
        {"middle": [normalized_beside]},
        "bn",
        "feeds nothing else",
    ),
    "padding before a 1x1 convolution": (
        {"middle": [kl.ZeroPadding2D(1, name="pad"), conv1x1()]},
        "pad",
        "Padding is folded into a convolution",
    ),
    "no pooling": (
        {"end": kl.Flatten(name="flat")},
        "flat",
        "Flatten was not found.*Take GlobalAveragePooling2D",
    ),
    "convolutions alone": (
        {"end": kl.ReLU(name="end")},
        "end",
        "leaves the model. Convolutions must end in GlobalAveragePooling2D",
    ),
    "half precision": (
        {"middle": [conv1x1(dtype="mixed_float16")]},
        "1x1",
        "computes in float16, and LiteRT in float32",
    ),
}


@pytest.mark.parametrize("name", NOT_USED)
def test_one_layer_prevents_it(name):
    changes, layer, reason = NOT_USED[name]

    verdict = xnnpack.check(sparse(network(**changes)))

    assert not verdict.used
    ((found, sentence),) = verdict.reasons
    assert found.startswith(layer)
    assert re.search(reason, sentence)


def test_padding_for_two_convolutions_is_not_folded():
    model = network(middle=[padded_for_two])

    reasons = dict(xnnpack.check(sparse(model)).reasons)

    assert "feeds that one alone" in reasons.pop("pad")
    assert ["padding='same'" in text for text in reasons.values()] == [True] * 2


@pytest.mark.parametrize("zeros, used", [(266, False), (267, True)])
def test_more_than_two_thirds_have_to_be_zero(zeros, used):
    model = network()
    kernel = np.ones(400)
    kernel[:zeros] = 0
    model.get_layer("last").kernel.assign(kernel.reshape(1, 1, 20, 20))

    verdict = xnnpack.check(model)

    assert verdict.used == used
    assert verdict.sparsity == zeros / 400
    told = "Of the weights of its 1x1 convolutions 66.5% are zero."
    assert used or verdict.reasons[0][1].startswith(told)


def test_a_dense_layer_behind_the_pooling_counts_for_newer_versions():
    inputs = keras.Input((16, 16, 3))
    x = kl.GlobalAveragePooling2D()(conv1x1()(first()(inputs)))
    model = keras.Model(inputs, kl.Dense(20, name="head")(x), name="net")

    full = rigl_tf.sparsify(
        model,
        rigl_tf.algorithms.Static(),
        sparsity=0.9,
        distribution="uniform_all",
        exclude=["head"],
    )

    # 360 of 400 weights of the convolution are zero, and none of 400 others.
    ((name, reason),) = xnnpack.check(full).reasons
    assert name == "net"
    assert "behind the pooling too, and with them 45.0% of weights" in reason
    assert xnnpack.check(sparse(rigl_tf.densify(model))).used


FRIENDLY = {
    "v1": models.mobilenet_v1,
    "v2": functools.partial(models.mobilenet_v2, strides="imagenet"),
}


@pytest.mark.parametrize("name", FRIENDLY)
@pytest.mark.parametrize("sparsity, used", [(0.9, True), (0.6, False)])
def test_the_mobilenets_of_the_library_are_friendly(name, sparsity, used):
    model = FRIENDLY[name]((32, 32, 3), 10, width=0.25)

    verdict = xnnpack.check(sparse(model, sparsity))

    assert verdict.used == used, str(verdict)
    assert len(verdict.reasons) == (0 if used else 1)


def test_those_of_keras_are_not():
    model = keras.applications.MobileNetV2(
        (96, 96, 3), alpha=0.35, weights=None, classes=10
    )

    verdict = xnnpack.check(sparse(model))

    # The first convolution, and four depthwise ones of stride 2.
    names = [name for name, _ in verdict.reasons]
    assert names[0] == "Conv1"
    assert names[1:] == [f"block_{n}_depthwise" for n in (1, 3, 6, 13)]
    assert verdict.sparsity == pytest.approx(0.9, abs=1e-3)


def test_wide_residual_networks_are_computed_densely():
    model = models.wide_resnet((16, 16, 3), 10, depth=10, width=1)

    verdict = xnnpack.check(sparse(model))

    reasons = [reason for _, reason in verdict.reasons]
    assert any("3x3 are computed densely" in reason for reason in reasons)
    assert any("BatchNormalization is folded" in reason for reason in reasons)


def test_nested_models_are_opened():
    block = keras.Sequential(
        [keras.Input((8, 8, 20)), kl.Conv2D(20, 3, padding="same", name="3x3")]
    )

    ((name, _),) = xnnpack.check(sparse(network(middle=[block]))).reasons

    assert name == "3x3"


def test_a_model_without_convolutions_has_none_to_speak_of():
    model = keras.Sequential([keras.Input((16,)), kl.Dense(4)], name="mlp")

    verdict = xnnpack.check(model)

    assert verdict.reasons == (("mlp", "It has no 1x1 convolutions."),)
    assert verdict.sparsity == 0


def test_a_subclassed_model_is_refused():
    class Net(keras.Model):
        pass

    with pytest.raises(TypeError, match="is a subclassed model"):
        xnnpack.check(Net())


def test_words_put_layers_with_one_reason_together():
    verdict = xnnpack.Verdict(
        "net",
        0.9,
        (*((name, "It is slow.") for name in "abcde"), ("f", "It is odd.")),
    )

    assert str(verdict).splitlines() == [
        "On ARM, as on x86, XNNPACK computes the convolutions of 'net' as if "
        "it had no zeros:",
        "- a, b, c and 2 more: It is slow.",
        "- f: It is odd.",
    ]


def test_words_say_what_is_skipped():
    assert str(xnnpack.Verdict("net", 0.9)) == (
        "On ARM, XNNPACK skips the zeros of 'net', 90.0% of its 1x1 "
        "convolutions. On x86 it never does."
    )
