"""MNIST: 70,000 handwritten digits of 28 x 28 pixels."""

import contextlib
import pathlib
import zipfile

import numpy as np

from rigl_tf.datasets import images
from rigl_tf.datasets import prepared
from rigl_tf.datasets.arrays import from_arrays
from rigl_tf.datasets.dataset import Dataset
from rigl_tf.typing import PathLike
from rigl_tf.utils import durable

# Statistics of the 60,000 training images.
MEAN, STD = 0.1307, 0.3081


def mnist(
    batch_size: int = 128,
    validation: int = 5000,
    mean: float = MEAN,
    std: float = STD,
    data_dir: PathLike | None = None,
) -> Dataset:
    """Loads MNIST, which `rigl-prepare --dataset=mnist` has prepared.

    Args:
        batch_size: Integer, at least 1, examples in a batch.
        validation: Integer, number of training images for validation, taken
            from the end of the 60,000 in TFDS's order, which is random but
            always the same. With 0, all are used for training.
        mean: Float, subtracted from pixels in [0, 1].
        std: Float that then divides the pixels.
        data_dir: Where TFDS keeps prepared data, or `None` for its default.

    Returns:
        `Dataset` of 10 classes, 28 x 28 pixels in one channel.

    Raises:
        FileNotFoundError: If the data set is not prepared.

    Reference:
        [LeCun et al., 1998](https://doi.org/10.1109/5.726791).
    """
    return load_mnist("mnist", batch_size, validation, mean, std, data_dir)


def load_mnist(name, batch_size, validation, mean, std, data_dir):
    """Loads MNIST or Fashion-MNIST; see `mnist` for the arguments."""
    train, held_out = images.hold_out(
        _read_split(name, "train", data_dir), validation
    )
    return from_arrays(
        name,
        train=train,
        validation=held_out,
        test=_read_split(name, "test", data_dir),
        num_classes=10,
        batch_size=batch_size,
        transform=images.normalizer((mean,), (std,)),
    )


def _read_split(name, split, data_dir):
    """Reads a split, and keeps its pixels in a file for later runs.

    Decoding 70,000 images can take as long as training a small network.
    """
    if prepared.is_mocked():
        return prepared.mock_images(name)
    folder = prepared.builder(name, data_dir).data_path
    path = pathlib.Path(folder) / f"{split}.npz"
    with contextlib.suppress(OSError, ValueError, KeyError, zipfile.BadZipFile):
        with path.open("rb") as file, np.load(file) as arrays:
            return arrays["image"], arrays["label"]
    x, y = images.read_split(name, split, data_dir)
    with contextlib.suppress(OSError):  # such as a directory of somebody else
        with durable.replacing(path) as partial:
            np.savez(partial, image=x, label=y)
    return x, y
