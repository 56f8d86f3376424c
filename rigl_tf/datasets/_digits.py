"""Handwritten digits from scikit-learn; no download is needed."""

import contextlib
import functools
import io

import numpy as np

from rigl_tf.datasets.arrays import from_arrays
from rigl_tf.datasets.dataset import Dataset
from rigl_tf.typing import PathLike


def digits(
    batch_size: int = 32,
    flatten: bool = False,
    standardize: bool = False,
    data_dir: PathLike | None = None,
) -> Dataset:
    """Loads scikit-learn's 1,797 handwritten digits, 8x8 grey pixels.

    The first call prepares the data with TFDS, which takes a second or two;
    later calls only read. In each class, a fixed random 20 % are for testing
    and 10 % for validation: 1,259 training, 179 validation and 359 test images.
    The split ignores the writers of digits: the same writers are in all three.

    Args:
        batch_size: Integer, at least 1, examples in a batch.
        flatten: Boolean, whether an example has shape (64,) instead of
            (8, 8, 1).
        standardize: Boolean, whether to subtract the mean of all training
            pixels (0.306) and divide by their standard deviation (0.377).
            Otherwise, pixels are in [0, 1].
        data_dir: String or path, where TFDS keeps prepared data. `None` means
            TFDS's default: the environment variable TFDS_DATA_DIR, or
            `~/tensorflow_datasets`.

    Returns:
        `Dataset` of 10 classes.

    Raises:
        ValueError: If `batch_size` is not an integer of at least 1.

    Reference:
        [Alpaydin & Kaynak, 1998](https://doi.org/10.24432/C50P49);
        scikit-learn bundles their test set.
    """
    splits = _read_all(data_dir)
    pixels = splits["train"][0]
    offset, scale = (pixels.mean(), pixels.std()) if standardize else (0, 1)
    shape = (-1, 64) if flatten else (-1, 8, 8, 1)
    splits = {
        split: (((x - offset) / scale).reshape(shape), y)
        for split, (x, y) in splits.items()
    }
    return from_arrays(
        "digits",
        train=splits["train"],
        validation=splits["validation"],
        test=splits["test"],
        num_classes=10,
        batch_size=batch_size,
    )


@functools.cache
def _read_all(data_dir):
    """Returns images and labels of each split, by the name of the split."""
    builder = _prepared_builder(data_dir)
    return {
        split: _read(builder, split)
        for split in ("train", "validation", "test")
    }


def _prepared_builder(data_dir):
    # TFDS is slow to import, so it is imported only here.
    from rigl_tf.datasets.digits_builder import Digits

    builder = Digits(data_dir=data_dir)
    if not builder.data_path.exists():
        try:
            _prepare(builder)
        except OSError:
            # TFDS writes to a temporary directory and then renames it, which
            # fails if another process was faster. The other data are valid.
            if not builder.data_path.exists():
                raise
        # Only a new builder reads the data of the other process.
        builder = Digits(data_dir=data_dir)
    return builder


def _prepare(builder):
    """Writes the data to disk, without TFDS's messages and progress bars."""
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.utils import tqdm_utils

    was_active = getattr(tqdm_utils, "_active", True)
    tfds.display_progress_bar(False)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            builder.download_and_prepare()
    finally:
        tfds.display_progress_bar(was_active)


def _read(builder, split):
    """Returns images in [0, 1], shape (examples, 8, 8, 1), and labels."""
    examples = builder.as_dataset(
        split=split, batch_size=-1, shuffle_files=False
    )
    images = examples["image"].numpy()
    return images / np.float64(16), examples["label"].numpy()
