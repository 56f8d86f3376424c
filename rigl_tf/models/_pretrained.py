"""Networks of `keras.applications` with a new last layer."""

from collections.abc import Callable

import keras

from rigl_tf.datasets import prepared
from rigl_tf.typing import PathLike
from rigl_tf.typing import Shape


def pretrained(
    input_shape: Shape,
    num_classes: int,
    *,
    application: Callable[..., keras.Model],
    weights: PathLike | None = "imagenet",
) -> keras.Model:
    """Builds a trained network for other classes.

    The network ends with global average pooling, followed by a new layer
    `logits` without a bias. All layers are trainable. Images must be
    preprocessed by the `preprocess_input` of the network's module.

    Args:
        input_shape: Tuple of positive integers, (height, width, channels).
        num_classes: Integer, at least 1.
        application: Function of `keras.applications`, such as
            `keras.applications.ResNet50`.
        weights: `"imagenet"`: Keras downloads the weights once and keeps them
            in `~/.keras/models`. Or the path of a file of weights without
            the last layer: a download of Keras, `..._notop.h5`, or a file of
            `save_weights`. Or `None`, for an untrained network.

    Returns:
        `keras.Model` from (batch, *input_shape) to logits, (batch,
        num_classes).

    Raises:
        FileNotFoundError: If the weights cannot be downloaded.
        ValueError: If the file does not exist or is of another network.

    Reference:
        [Sreenivasan et al., 2022](https://arxiv.org/abs/2202.12002), appendix
        A.3.1.
    """
    try:
        network = application(
            include_top=False,
            weights=None if prepared.is_mocked() else weights,
            input_shape=input_shape,
            pooling="avg",
        )
    except Exception as error:  # Keras raises a plain `Exception`
        if not str(error).startswith("URL fetch failure"):
            raise
        raise FileNotFoundError(
            "The weights cannot be downloaded. Download the file manually "
            "and put it into ~/.keras/models, or pass its path as `weights`. "
            f"Received: weights={weights!r}. {error}"
        ) from error
    logits = keras.layers.Dense(num_classes, use_bias=False, name="logits")
    outputs = logits(network.output)
    return keras.Model(network.input, outputs, name=network.name)
