"""Functions shared by image data sets."""

import numpy as np
import tensorflow as tf

from rigl_tf.datasets import prepared


def normalizer(mean, std):
    """Returns a function that normalizes uint8 pixels by channel.

    Args:
        mean: Tuple of floats, mean of each channel for pixels in [0, 1].
        std: Tuple of floats, standard deviation of each channel.

    Returns:
        Function from a batch to a float32 tensor.
    """

    def normalize(x):
        return (tf.cast(x, tf.float32) / 255 - list(mean)) / list(std)

    return normalize


def standardize(x):
    """Scales each image to mean 0 and standard deviation 1."""
    return tf.image.per_image_standardization(x)


def read_split(name, split, data_dir=None):
    """Reads the images of one split.

    The order is the order of the source if TFDS keeps the names of images.
    Otherwise, it is TFDS's order, which is random but always the same.

    Args:
        name: String, a key of `prepared.SOURCES`.
        split: String, the TFDS name of the split.
        data_dir: Where TFDS keeps prepared data, or `None` for its default.

    Returns:
        Pair of arrays: uint8 of shape (examples, height, width, channels),
        and labels.

    Raises:
        FileNotFoundError: If the data set is not prepared.
    """
    if prepared.is_mocked():
        return prepared.mock_images(name)
    examples = prepared.builder(name, data_dir).as_dataset(
        split=split, batch_size=-1, shuffle_files=False
    )
    arrays = examples["image"].numpy(), examples["label"].numpy()
    if "id" not in examples:
        return arrays
    # TFDS writes examples in a different order.
    return take(arrays, np.argsort(examples["id"].numpy()))


def take(arrays, indices):
    """Returns the examples at `indices`."""
    x, y = arrays
    return x[indices], y[indices]


def hold_out(arrays, num):
    """Splits off the last `num` examples, or `None` if `num` is 0."""
    x, y = arrays
    if prepared.is_mocked():
        num = min(num, len(x) // 4)
    if num == 0:
        return arrays, None
    if not 0 < num < len(x):
        raise ValueError(
            f"`validation` must be below the {len(x)} training examples. "
            f"Received: validation={num}."
        )
    return (x[:-num], y[:-num]), (x[-num:], y[-num:])
