"""Whole networks are shrunk, and compute what they did."""

import keras
import numpy as np
import pytest
from keras import layers as kl

import rigl_tf
from rigl_tf import models
from rigl_tf.sparsity import structures
from tests.networks import NETWORKS

SMALL = {
    "lenet5": lambda: models.lenet5((16, 16, 1), 10),
    "mlp": lambda: models.mlp((64,), 10),
    "mobilenet_v1": lambda: models.mobilenet_v1((32, 32, 3), 10, width=0.25),
    "mobilenet_v2": lambda: models.mobilenet_v2((32, 32, 3), 10, width=0.25),
    "resnet": lambda: models.resnet((16, 16, 3), 10),
    "resnet18": lambda: models.resnet18((32, 32, 3), 10),
    "resnet50": lambda: models.resnet50((32, 32, 3), 10),
    "vgg16": lambda: models.vgg16((32, 32, 3), 10),
    "wide_resnet": lambda: models.wide_resnet((16, 16, 3), 10),
    "MobileNetV3Small": lambda: keras.applications.MobileNetV3Small(
        (32, 32, 3), weights=None
    ),
    **NETWORKS,
}


def without_channels(model, fraction, seed=0):
    """Makes channels of all layers but the last zero; moves what is zero."""
    rng = np.random.default_rng(seed)
    layers = list(model._flatten_layers(include_self=False))
    for layer in layers:
        for name in ("kernel", "pointwise_kernel", "bias", "gamma", "beta"):
            variable = getattr(layer, name, None)
            if variable is None:
                continue
            value = np.array(variable)
            if "kernel" not in name:
                value += rng.normal(size=value.shape) / 5
            elif value.shape[-1] != model.output_shape[-1]:
                value[..., rng.random(value.shape[-1]) < fraction] = 0
            variable.assign(value)
        if isinstance(layer, kl.BatchNormalization):
            size = layer.moving_mean.shape
            layer.moving_mean.assign(rng.normal(size=size) / 5)
            layer.moving_variance.assign(rng.uniform(0.5, 2, size))


@pytest.mark.few(1)
@pytest.mark.parametrize("name", sorted(SMALL))
def test_a_network_without_half_of_its_channels_computes_the_same(name):
    model = SMALL[name]()
    without_channels(model, 0.5)

    smaller, report = rigl_tf.shrink(model)

    assert report.largest_difference < 1e-5
    assert smaller.output_shape == model.output_shape
    assert report.parameters[1] <= report.parameters[0]


@pytest.mark.few(1)
@pytest.mark.parametrize("name", ["mlp", "vgg16"])
def test_chains_become_as_narrow_as_their_masks(name):
    model = SMALL[name]()
    without_channels(model, 0.5)
    kernels = [np.array(v) for v in model.weights if v.path.endswith("kernel")]

    smaller, _ = rigl_tf.shrink(model)

    left = [v.shape[-1] for v in smaller.weights if v.path.endswith("kernel")]
    assert left[-2] == np.sum(
        np.any(kernels[-2] != 0, axis=tuple(range(kernels[-2].ndim - 1)))
    )


def test_structured_sparse_training_ends_in_a_model_of_its_density(data):
    x, y = data
    model = rigl_tf.sparsify(
        models.mlp((16,), 2, hidden=(40, 20)),
        rigl_tf.algorithms.SET(),
        sparsity=0.75,
        distribution="uniform_all",
        structure=structures.Filters(),
        exclude=["logits"],
        schedule=rigl_tf.schedules.UpdateSchedule(interval=3),
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(True))
    model.fit(x, y, epochs=2, verbose=0)

    smaller, report = rigl_tf.shrink(model, samples=x)

    grown = [
        int(np.any(kernel.weights(), axis=0).sum())
        for kernel in rigl_tf.modeling.sparse_wrapper.sparse_kernels(model)
    ]
    assert [count for _, count in report.units.values()] == [*grown, 2]
    assert 0 < grown[0] <= 10 and 0 < grown[1] <= 5  # some are just grown
    np.testing.assert_allclose(
        smaller(x), model.predict(x, verbose=0), atol=1e-5
    )
