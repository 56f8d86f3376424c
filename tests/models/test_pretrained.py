"""Tests of trained networks for other classes."""

import functools

import h5py
import keras
import numpy as np
import pytest

from rigl_tf import datasets
from rigl_tf import models
from rigl_tf.datasets import prepared

SHAPE = (32, 32, 3)
application = functools.partial(keras.applications.MobileNetV2, alpha=0.35)


def downloaded(model, path):
    """Writes weights as in the files that Keras downloads."""
    model.save(path.with_suffix(".model.h5"))
    with (
        h5py.File(path.with_suffix(".model.h5")) as whole,
        h5py.File(path, "w") as file,
    ):
        for name, value in whole["model_weights"].attrs.items():
            file.attrs[name] = value
        for name in whole["model_weights"]:
            whole.copy(f"model_weights/{name}", file)


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")
def test_a_pretrained_network_has_the_weights_of_a_file_of_keras(tmp_path):
    trained = application(
        include_top=False, weights=None, input_shape=SHAPE, pooling="avg"
    )
    downloaded(trained, tmp_path / "trained_notop.h5")

    model = models.pretrained(
        SHAPE,
        5,
        application=application,
        weights=str(tmp_path / "trained_notop.h5"),
    )

    x = np.random.default_rng(0).normal(size=(2, *SHAPE)).astype("float32")
    features = np.array(trained(x))
    head = model.get_layer("logits")
    np.testing.assert_allclose(
        model(x), features @ np.array(head.kernel), rtol=1e-4, atol=1e-6
    )
    assert head.kernel.shape == (1280, 5) and not head.use_bias
    assert all(layer.trainable for layer in model.layers)


def test_weights_that_cannot_be_downloaded_say_where_to_put_them():
    def offline(**_):
        raise Exception("URL fetch failure on https://storage: None -- None")

    with pytest.raises(FileNotFoundError, match="into ~/.keras/models"):
        models.pretrained(SHAPE, 5, application=offline)


def test_caltech_101_is_prepared_as_keras_s_networks_expect():
    preprocess = keras.applications.resnet50.preprocess_input
    with prepared.mock_data(8):
        pixels, images = (
            next(iter(datasets.caltech101(preprocess=function).test))[0]
            for function in (lambda x: x, preprocess)
        )
    assert np.min(pixels) == 0 and np.max(pixels) == 255
    expected = np.array(pixels)[..., ::-1] - [103.939, 116.779, 123.68]
    np.testing.assert_allclose(images, expected, atol=1e-4)
