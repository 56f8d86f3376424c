"""CIFAR-10: 60,000 photographs of 32 x 32 pixels in 10 classes."""

from collections.abc import Callable
from collections.abc import Sequence

from rigl_tf.datasets import images
from rigl_tf.datasets.arrays import from_arrays
from rigl_tf.datasets.augment import crop_and_flip
from rigl_tf.datasets.dataset import Dataset
from rigl_tf.typing import PathLike

# Statistics of the training images, as in the reproduction of RigL.
MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2023, 0.1994, 0.2010)


def cifar10(
    batch_size: int = 128,
    validation: int = 5000,
    mean: Sequence[float] = MEAN,
    std: Sequence[float] = STD,
    augment: Callable | None = crop_and_flip,
    data_dir: PathLike | None = None,
) -> Dataset:
    """Loads CIFAR-10, which `rigl-prepare --dataset=cifar10` has prepared.

    Args:
        batch_size: Integer, at least 1, examples in a batch.
        validation: Integer, number of training images for validation, taken
            from the end of the 50,000. With 0, all are used for training.
        mean: Tuple of three floats, subtracted from pixels in [0, 1].
        std: Tuple of three floats that then divide the pixels. `None`
            standardizes each image separately, as in the RigL paper.
        augment: Function of `rigl_tf.datasets.augment`, or `None`.
        data_dir: Where TFDS keeps prepared data, or `None` for its default.

    Returns:
        `Dataset` of 10 classes.

    Raises:
        FileNotFoundError: If the data set is not prepared.

    Reference:
        [Krizhevsky, 2009](https://www.cs.toronto.edu/~kriz/cifar.html).
    """
    return load_cifar(
        "cifar10", batch_size, validation, mean, std, augment, data_dir
    )


def load_cifar(name, batch_size, validation, mean, std, augment, data_dir):
    """Loads CIFAR-10 or CIFAR-100; see `cifar10` for the arguments."""
    train, held_out = images.hold_out(
        images.read_split(name, "train", data_dir), validation
    )
    return from_arrays(
        name,
        train=train,
        validation=held_out,
        test=images.read_split(name, "test", data_dir),
        num_classes=int(name.removeprefix("cifar")),
        batch_size=batch_size,
        transform=(
            images.standardize if std is None else images.normalizer(mean, std)
        ),
        augment=augment,
    )
