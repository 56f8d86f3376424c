"""The networks of the papers have the sizes that the papers give."""

import functools
import math

import keras
import numpy as np
import pytest

import rigl_tf
from rigl_tf import models
from rigl_tf.analysis import flops
from rigl_tf.models.initializers import INITIALIZERS
from rigl_tf.models.initializers import make_initializer
from tests.tickets.small import RESNET20

SMALL, TINY, LARGE = (32, 32, 3), (64, 64, 3), (224, 224, 3)
# Rare Gems has neither biases nor a scale and offset of normalization.
GEM = {"affine": False, "bias": False}
NETWORKS = {
    "LeNet-300-100": lambda: models.mlp((28, 28, 1), 10),
    "LeNet-5": models.lenet5,
    "WRN-22-2": lambda: models.wide_resnet(SMALL, 10),
    "WRN-28-2": lambda: models.wide_resnet(SMALL, 10, 28, **GEM),
    "ResNet-20": lambda: models.resnet(SMALL, 10, **GEM),
    "ResNet-32": lambda: models.resnet(SMALL, 10, 32, **GEM),
    "ResNet-32, 100 classes": lambda: models.resnet(SMALL, 100, 32, **GEM),
    "ResNet-32, twice as wide": lambda: models.resnet(SMALL, 10, 32, 32, **GEM),
    "ResNet-32, twice as wide, 100 classes": lambda: models.resnet(
        SMALL, 100, 32, 32, **GEM
    ),
    "ResNet-18": lambda: models.resnet18(SMALL, 10, **GEM),
    "ResNet-18, 100 classes": lambda: models.resnet18(SMALL, 100),
    "ResNet-18, Tiny ImageNet": lambda: models.resnet18(
        TINY, 200, "imagenet", **GEM
    ),
    "ResNet-50, CIFAR-100": lambda: models.resnet50(SMALL, 100, "cifar"),
    "ResNet-50, Tiny ImageNet": lambda: models.resnet50(TINY, 200, **GEM),
    "ResNet-50, Caltech-101": lambda: models.resnet50(LARGE, 101, bias=False),
    "ResNet-50, ImageNet": lambda: models.resnet50(LARGE, 1000),
    "VGG-16": lambda: models.vgg16(SMALL, 10, **GEM),
    "VGG-16, 200 classes": lambda: models.vgg16(TINY, 200, **GEM),
    "VGG-16 of GGR": lambda: models.vgg16(
        TINY, 200, blocks=4, hidden=(4096, 4096), batch_norm=False
    ),
    "MobileNet-v1": lambda: models.mobilenet_v1(LARGE, 1000),
    "MobileNet-v2 of Rare Gems": lambda: models.mobilenet_v2(
        SMALL, 10, projections=True, **GEM
    ),
    "MobileNet-v2 of Rare Gems, 200 classes": lambda: models.mobilenet_v2(
        TINY, 200, projections=True, **GEM
    ),
    "MobileNet-v2 of GGR": lambda: models.mobilenet_v2(SMALL, 100),
    "MobileNet-v2 of GGR, 200 classes": lambda: models.mobilenet_v2(TINY, 200),
    "GRU": lambda: models.gru((512,), 256),
}


@functools.cache
def network(name):
    keras.utils.set_random_seed(0)
    return NETWORKS[name]()


def kernels(model):
    return [v for v in model.trainable_variables if len(v.shape) > 1]


# Rare Gems and GGR count by the references' code; the others are printed.
@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("name", "num_kernels", "weights"),
    [
        ("LeNet-300-100", 3, 266_200),
        ("LeNet-5", 5, 44_190),
        ("WRN-22-2", 23, 1_076_912),
        ("WRN-28-2", 29, 1_463_984),
        ("ResNet-20", 20, 268_336),
        ("ResNet-32", 32, 461_872),
        ("ResNet-32, 100 classes", 32, 467_632),
        ("ResNet-32, twice as wide", 32, 1_845_344),
        ("ResNet-32, twice as wide, 100 classes", 32, 1_856_864),
        ("ResNet-18", 21, 11_164_352),
        ("ResNet-18, 100 classes", 21, 11_210_432),
        ("ResNet-18, Tiny ImageNet", 21, 11_269_312),
        ("ResNet-50, CIFAR-100", 54, 23_652_032),
        ("ResNet-50, Tiny ImageNet", 54, 23_864_512),
        ("ResNet-50, Caltech-101", 54, 23_661_760),
        ("ResNet-50, ImageNet", 54, 25_502_912),
        ("VGG-16", 14, 14_715_584),
        ("VGG-16, 200 classes", 14, 14_812_864),
        ("VGG-16 of GGR", 13, 58_783_424),
        ("MobileNet-v1", 28, 4_209_088),
        ("MobileNet-v2 of Rare Gems", 58, 2_261_824),
        ("MobileNet-v2 of Rare Gems, 200 classes", 58, 2_505_024),
        ("MobileNet-v2 of GGR", 53, 2_317_760),
        ("MobileNet-v2 of GGR, 200 classes", 53, 2_445_760),
    ],
)
def test_kernels_have_the_weights_of_the_papers(name, num_kernels, weights):
    found = kernels(network(name))
    assert len(found) == num_kernels
    assert sum(math.prod(v.shape) for v in found) == weights


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("LeNet-300-100", 266_610),
        ("WRN-22-2", 1_079_642),
        ("ResNet-50, CIFAR-100", 23_705_252),
        ("ResNet-50, ImageNet", 25_557_032),  # as in torchvision
        ("VGG-16 of GGR", 58_794_504),
        ("MobileNet-v1", 4_231_976),
        ("MobileNet-v2 of GGR, 200 classes", 2_480_072),
        # Without biases and affine normalization, kernels are all.
        ("ResNet-20", 268_336),
        ("VGG-16", 14_715_584),
        ("MobileNet-v2 of Rare Gems", 2_261_824),
    ],
)
def test_networks_have_the_parameters_of_the_papers(name, parameters):
    variables = network(name).trainable_variables
    assert sum(math.prod(v.shape) for v in variables) == parameters


@pytest.mark.few(5)
@pytest.mark.parametrize(
    ("name", "macs"),
    [
        ("WRN-22-2", 157_730_048),
        ("ResNet-20", 40_551_040),
        ("ResNet-50, CIFAR-100", 1_298_014_208),
        ("ResNet-50, ImageNet", 4_089_184_256),
        ("VGG-16 of GGR", 1_190_690_816),
        ("MobileNet-v1", 568_740_352),
    ],
)
def test_networks_cost_what_the_papers_say(name, macs):
    assert flops.inference(network(name)).flops() == 2 * macs


def test_mobilenet_v1_is_that_of_keras():
    theirs = keras.applications.MobileNet(weights=None)
    ours = network("MobileNet-v1")
    assert [tuple(v.shape) for v in kernels(ours)[:-1]] == [
        tuple(v.shape) for v in kernels(theirs)[:-1]
    ]


def test_mobilenet_v2_for_large_pictures_is_that_of_keras():
    theirs = keras.applications.MobileNetV2(weights=None)
    ours = models.mobilenet_v2(LARGE, 1000, strides="imagenet")
    for one, two in zip(kernels(ours), kernels(theirs), strict=True):
        assert tuple(one.shape) == tuple(two.shape)
    assert flops.inference(ours).flops() == flops.inference(theirs).flops()


def test_the_kernels_of_resnet_20_are_those_of_rare_gems():
    sizes = [math.prod(v.shape) for v in kernels(network("ResNet-20"))]
    assert sizes == RESNET20


def test_vgg_16_has_the_shapes_of_rare_gems():
    channels = [3, 64, 64, 128, 128, *[256] * 3, *[512] * 6]
    assert [tuple(v.shape) for v in kernels(network("VGG-16"))] == [
        *((3, 3, a, b) for a, b in zip(channels, channels[1:], strict=False)),
        (512, 10),
    ]


def test_the_shortcuts_of_mobilenet_v2_are_where_rare_gems_has_them():
    found = {
        layer.name: tuple(layer.kernel.shape[2:])
        for layer in network("MobileNet-v2 of Rare Gems").layers
        if layer.name.endswith("_shortcut")
    }
    assert found == {
        "block1_shortcut": (32, 16),
        "block2_shortcut": (16, 24),
        "block11_shortcut": (64, 96),
        "block17_shortcut": (160, 320),
    }


def test_the_gru_has_the_sizes_of_rigl():
    shapes = [tuple(v.shape) for v in kernels(network("GRU"))]
    assert shapes == [
        (256, 128),
        (128, 3 * 512),
        (512, 3 * 512),
        (2, 3 * 512),
        (512, 256),
        (256, 128),
        (128, 256),
    ]


def test_a_residual_block_of_resnet_50_begins_as_its_shortcut():
    model = network("ResNet-50, CIFAR-100")
    assert not np.any(model.get_layer("block2_1_bn3").gamma)
    assert np.all(model.get_layer("block2_0_shortcut_bn").gamma)


# 3x3 kernels from 64 to 32 channels: 576 connections to an output, 288 from an
# input. Of a depthwise kernel, 9 to an output and 9 from an input.
@pytest.mark.parametrize(
    ("kind", "conv", "depthwise"),
    [
        ("glorot_uniform", (1 / ((576 + 288) / 2)) ** 0.5, (1 / 9) ** 0.5),
        ("he_normal", (2 / 576) ** 0.5, (2 / 9) ** 0.5),
        ("he_normal_fan_out", (2 / 288) ** 0.5, (2 / 9) ** 0.5),
        ("he_uniform", (2 / 576) ** 0.5, (2 / 9) ** 0.5),
        ("kaiming_normal", (2 / 576) ** 0.5, (2 / 9) ** 0.5),
        ("lecun_normal", (1 / 576) ** 0.5, (1 / 9) ** 0.5),
        ("signed_constant", 0.05892557, 0.47140452),
        ("torch_uniform", (1 / 3 / 576) ** 0.5, (1 / 3 / 9) ** 0.5),
    ],
)
def test_initializers_have_the_standard_deviations_of_the_papers(
    kind, conv, depthwise
):
    assert kind in INITIALIZERS
    keras.utils.set_random_seed(1)
    for shape, expected in ((3, 3, 64, 32), conv), ((3, 3, 999, 1), depthwise):
        values = np.array(make_initializer(kind, shape[-1] == 1)(shape))
        assert values.std() == pytest.approx(expected, rel=0.03)
        assert values.mean() == pytest.approx(0, abs=expected / 20)
        if kind == "signed_constant":
            np.testing.assert_allclose(np.abs(values), expected, rtol=1e-5)


def test_channels_biases_and_initializers_are_arguments():
    model = models.lenet5(
        (16, 16, 1), 3, (4, 5), (6,), bias=False, initializer="he_uniform"
    )
    shapes = [tuple(v.shape) for v in model.trainable_variables]
    assert shapes == [(5, 5, 1, 4), (5, 5, 4, 5), (5, 6), (6, 3)]
    model = models.mlp((4,), 3, (5,), bias=False)
    assert len(model.trainable_variables) == 2
    model = models.vgg16((8, 8, 1), 3, blocks=3, channels=2, bias=False)
    assert [v.shape[-1] for v in kernels(model)] == [2, 2, 4, 4, 8, 8, 8, 3]


def test_an_initializer_may_be_ones_own():
    model = models.resnet18(
        (8, 8, 1), 3, head_initializer=keras.initializers.Ones
    )
    assert np.all(np.array(model.get_layer("logits").kernel) == 1)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: models.resnet18((8, 8, 1), 3, "large"), "'cifar', 'imagenet'"),
        (lambda: models.resnet50((8, 8), 3), "3 entries: height"),
        (lambda: models.resnet50(SMALL, 3, channels=0), "channels=0"),
        (
            lambda: models.vgg16((16, 16, 3), 3),
            "at least 32 pixels on each side",
        ),
        (lambda: models.vgg16(SMALL, 3, blocks=6), "from 1 to 5"),
        (lambda: models.vgg16(SMALL, 3, hidden=5), "write \\(5,\\)"),
        (
            lambda: models.mobilenet_v2(SMALL, 3, strides=2),
            "'cifar', 'imagenet'",
        ),
        (lambda: models.mobilenet_v1(SMALL, 3, width=0), "`width`"),
        (lambda: models.mobilenet_v2(SMALL, 3, width="1"), "`width`"),
        (lambda: models.gru((5, 1), 3), "must have 1 entries"),
        (lambda: models.resnet(SMALL, 3, channels=3), "even.*channels=3"),
        (lambda: models.resnet(SMALL, 3, initializer="he"), "'he_normal'"),
    ],
)
def test_bad_arguments_are_refused(make, problem):
    with pytest.raises(ValueError, match=problem):
        make()


def decayed(model, shape, **kwargs):
    return models.with_weight_decay(
        shape, 3, model=model, weight_decay=0.1, **kwargs
    )


@pytest.mark.parametrize("sparse", [False, True])
def test_weight_decay_is_in_the_gradient(sparse):
    """One step of SGD, rate 0.5, on data without a gradient of their own."""
    model = decayed(lambda *args: models.mlp(*args, hidden=(5,)), (4,))
    if sparse:
        model = rigl_tf.sparsify(
            model, rigl_tf.algorithms.Static(), sparsity=0.5
        )
    model.compile(keras.optimizers.SGD(0.5), lambda y, z: 0 * z[:, 0])
    before = [np.array(v) for v in model.trainable_variables]
    model.train_on_batch(np.ones((2, 4)), np.zeros(2))
    for old, new in zip(before, model.trainable_variables, strict=True):
        decay = 0.5 * 0.1 if len(old.shape) > 1 else 0  # biases stay
        np.testing.assert_allclose(new, (1 - decay) * old, rtol=1e-5)


def test_kernels_of_layers_inside_layers_decay():
    def nested(shape, classes):
        block = keras.Sequential([keras.layers.Dense(classes)])
        return keras.Sequential([keras.Input(shape), block])

    (kernel,) = decayed(nested, (4,)).layers[0].layers[0].trainable_weights[:1]

    assert kernel.regularizer is not None


def test_recurrent_kernels_decay_and_depthwise_ones_as_told():
    model = decayed(lambda *args: models.gru(*args, 4, 5, (6,)), (7,))
    found = {v.path for v in model.variables if v.regularizer}
    assert {path.split("/")[-1] for path in found} == {
        "kernel",
        "recurrent_kernel",
    }
    for depthwise in (True, False):
        model = decayed(models.mobilenet_v2, (16, 16, 3), depthwise=depthwise)
        again = model.from_config(model.get_config())
        for layer in again.layers:
            if isinstance(layer, keras.layers.DepthwiseConv2D):
                assert bool(layer.kernel.regularizer) == depthwise
            elif isinstance(layer, keras.layers.Conv2D):
                assert layer.kernel.regularizer.l2 == pytest.approx(0.05)
