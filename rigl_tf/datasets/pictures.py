"""What data sets of pictures have in common."""

import numpy as np
import tensorflow as tf

from rigl_tf.datasets import prepared


def normalized(mean, std):
    """The function that makes of uint8 pixels what a network sees.

    Args:
        mean: Tuple of floats, of each channel, of pixels in [0, 1].
        std: Tuple of floats, likewise.

    Returns:
        Function of a batch to float32.
    """

    def normalize(x):
        return (tf.cast(x, tf.float32) / 255 - list(mean)) / list(std)

    return normalize


def standardized(x):
    """Pictures with mean 0 and standard deviation 1 each, of all channels."""
    return tf.image.per_image_standardization(x)


def read(name, split, data_dir=None):
    """Pictures of one split of a prepared data set, in the order of the source.

    Args:
        name: String, of `prepared.SOURCES`.
        split: String, TFDS's.
        data_dir: Where TFDS keeps prepared data, or `None` for its default.

    Returns:
        Pair of arrays: uint8 of shape (examples, height, width, channels),
        and labels.

    Raises:
        FileNotFoundError: If it is not prepared.
    """
    if prepared.are_faked():
        return prepared.fake_pictures(name)
    examples = prepared.builder(name, data_dir).as_dataset(
        split=split, batch_size=-1, shuffle_files=False
    )
    # TFDS writes them in an order of its own.
    order = np.argsort(examples["id"].numpy())
    return examples["image"].numpy()[order], examples["label"].numpy()[order]


def chosen(arrays, indices):
    """Some of the examples."""
    x, y = arrays
    return x[indices], y[indices]


def split_off(arrays, num):
    """What is left of arrays, and their last `num` examples or `None`."""
    x, y = arrays
    if prepared.are_faked():
        num = min(num, len(x) // 4)
    if num == 0:
        return arrays, None
    if not 0 < num < len(x):
        raise ValueError(
            f"`validation` must be below the {len(x)} examples that there "
            f"are to train on. Received: validation={num}."
        )
    return (x[:-num], y[:-num]), (x[-num:], y[-num:])
