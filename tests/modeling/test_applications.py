"""Applications of Keras stay the same, with their preprocessing."""

import keras
import numpy as np
import pytest
from keras import applications
from keras import layers as kl

from tests.modeling.comparing import check_nothing_is_lost
from tests.modeling.model_builders import floats

SLOW = pytest.mark.slow


@pytest.mark.few(1)
@pytest.mark.parametrize(
    "name",
    [
        "MobileNetV2",
        "EfficientNetB0",
        "ResNet50V2",
        pytest.param("ConvNeXtTiny", marks=SLOW),
        pytest.param("DenseNet121", marks=SLOW),
        pytest.param("MobileNetV3Small", marks=SLOW),
    ],
)
def test_an_application_computes_the_same(name, tmp_path):
    model = getattr(applications, name)(
        weights=None, input_shape=(32, 32, 3), classes=3
    )
    x = 255 * floats((32, 32, 3), batch=1)
    give_statistics(model, x)

    check_nothing_is_lost(model, x, tmp_path)


def give_statistics(model, x):
    """Adapts and sets what a trained model has and a new one has not."""
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, kl.Normalization) and layer.input_mean is None:
            layer.adapt(x)
        if isinstance(layer, kl.BatchNormalization):
            shape = layer.moving_mean.shape
            layer.moving_mean.assign(rng.normal(0.0, 0.1, shape))
            layer.moving_variance.assign(rng.uniform(0.5, 1.5, shape))


@pytest.mark.slow
def test_preprocessing_in_the_model_stays(tmp_path):
    inputs = keras.Input((32, 32, 3))
    x = kl.RandomFlip()(kl.Resizing(40, 40)(inputs))
    x = applications.mobilenet_v2.preprocess_input(x)
    base = applications.MobileNetV2(
        weights=None, include_top=False, input_shape=(40, 40, 3), alpha=0.35
    )
    base.trainable = False
    x = kl.Dropout(0.2)(kl.GlobalAveragePooling2D()(base(x, training=False)))
    model = keras.Model(inputs, kl.Dense(3)(x))
    x = 255 * floats((32, 32, 3), batch=1)
    give_statistics(base, x)

    sparse, loaded, _ = check_nothing_is_lost(model, x, tmp_path)

    # Frozen layers stay dense.
    assert len(sparse.kernels) == 1
    assert not loaded.get_layer(base.name).trainable
