"""Tiny ImageNet: images of 64 x 64 pixels, 200 classes of ImageNet."""

from collections.abc import Callable
from collections.abc import Sequence

import numpy as np

from rigl_tf.datasets import images
from rigl_tf.datasets.arrays import from_arrays
from rigl_tf.datasets.augment import crop_and_flip
from rigl_tf.datasets.dataset import Dataset
from rigl_tf.typing import PathLike

# Statistics of ImageNet.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def tiny_imagenet(
    batch_size: int = 128,
    halves: bool = True,
    mean: Sequence[float] = MEAN,
    std: Sequence[float] = STD,
    augment: Callable | None = crop_and_flip,
    data_dir: PathLike | None = None,
) -> Dataset:
    """Loads Tiny ImageNet, which `rigl-prepare` has prepared.

    Each class has 500 training images and 50 more images with labels.

    Args:
        batch_size: Integer, at least 1, examples in a batch.
        halves: Boolean, whether 25 of these 50 images are for validation and
            25 for testing, as in the code of Rare Gems. Otherwise, all 50 are
            for testing.
        mean: Tuple of three floats, subtracted from pixels in [0, 1].
        std: Tuple of three floats that then divide the pixels.
        augment: Function of `rigl_tf.datasets.augment`, or `None`.
        data_dir: Where TFDS keeps prepared data, or `None` for its default.

    Returns:
        `Dataset` of 200 classes.

    Raises:
        FileNotFoundError: If the data set is not prepared.

    Reference:
        [Le & Yang, 2015](http://cs231n.stanford.edu/tiny-imagenet-200.zip).
    """
    test = images.read_split("tiny_imagenet", "validation", data_dir)
    validation = None
    if halves:
        first = first_of_each_class(test[1])
        validation = images.take(test, first)
        test = images.take(test, ~first)
    return from_arrays(
        "tiny_imagenet",
        train=images.read_split("tiny_imagenet", "train", data_dir),
        validation=validation,
        test=test,
        num_classes=200,
        batch_size=batch_size,
        transform=images.normalizer(mean, std),
        augment=augment,
    )


def first_of_each_class(labels):
    """Returns a boolean array, `True` for the first half of each class.

    If a class has an odd number of examples, its second half has one more.
    """
    first = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        first[members[: len(members) // 2]] = True
    return first
