"""Caltech-101: 8,677 photographs in 101 classes."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from rigl_tf.datasets import images
from rigl_tf.datasets import prepared
from rigl_tf.datasets._tiny_imagenet import MEAN
from rigl_tf.datasets._tiny_imagenet import STD
from rigl_tf.datasets.arrays import from_arrays
from rigl_tf.datasets.dataset import Dataset
from rigl_tf.typing import PathLike

_BACKGROUND = "background_google"
_SIZE = prepared.SOURCES["caltech101"].shape[:2]


def caltech101(
    batch_size: int = 16,
    seed: int = 42,
    preprocess: Callable | None = None,
    augment: Callable | None = None,
    data_dir: PathLike | None = None,
) -> Dataset:
    """Loads Caltech-101, which `rigl-prepare` has prepared.

    Images are resized to 224 x 224 pixels. Background images are left out. The
    test split has 20 % of each class; the validation split has a quarter of
    the rest, so that 60 % are for training. The images take 1.3 GB of memory.

    Args:
        batch_size: Integer, at least 1, examples in a batch.
        seed: Integer, seed of the split.
        preprocess: Function from a batch of pixels in [0, 255], float32, to
            the inputs of a network, such as a `preprocess_input` of
            `keras.applications`. By default, channels are normalized by the
            means and standard deviations of ImageNet.
        augment: Function of `rigl_tf.datasets.augment`, or `None`.
        data_dir: Where TFDS keeps prepared data, or `None` for its default.

    Returns:
        `Dataset` of 101 classes.

    Raises:
        FileNotFoundError: If the data set is not prepared.

    Reference:
        [Fei-Fei et al., 2004](https://data.caltech.edu/records/mzrjq-6wc02).
    """
    transform = images.normalizer(MEAN, STD)
    if preprocess is not None:  # most overflow in uint8

        def transform(x):
            return preprocess(tf.cast(x, tf.float32))

    arrays = _read(data_dir)
    splits = {
        split: images.take(arrays, indices)
        for split, indices in split_indices(arrays[1], seed).items()
    }
    return from_arrays(
        "caltech101",
        **splits,
        num_classes=101,
        batch_size=batch_size,
        transform=transform,
        augment=augment,
    )


def split_indices(labels, seed):
    """Splits examples at random; the same seed gives the same split.

    Args:
        labels: Integer array of shape (examples,).
        seed: Integer.

    Returns:
        Dictionary from `train`, `validation` and `test` to indices.
    """
    rng = np.random.RandomState(seed)  # NumPy never changes its stream
    order = rng.permutation(len(labels))
    test = []
    for label in np.unique(labels):
        members = order[labels[order] == label]
        test.extend(members[: round(0.2 * len(members))])
    rest = order[~np.isin(order, test)]
    num = round(0.25 * len(rest))
    return {
        "train": np.sort(rest[num:]),
        "validation": np.sort(rest[:num]),
        "test": np.sort(test),
    }


def _read(data_dir):
    """Returns all images except background, as uint8, and labels."""
    if prepared.is_mocked():
        return prepared.mock_images("caltech101")
    builder = prepared.builder("caltech101", data_dir)
    names = builder.info.features["label"].names
    background = names.index(_BACKGROUND)
    examples = builder.as_dataset(split="train+test", shuffle_files=False)
    entries = []
    for example in examples:
        label = int(example["label"])
        if label != background:
            image = tf.image.resize(
                tf.cast(example["image"], tf.float32), _SIZE, antialias=True
            )
            entries.append(
                (
                    f"{names[label]}/{example['image/file_name'].numpy()}",
                    tf.cast(tf.round(image), tf.uint8).numpy(),
                    label - (label > background),
                )
            )
    entries.sort(key=lambda entry: entry[0])
    _, images, labels = zip(*entries, strict=True)
    return np.stack(images), np.array(labels)
