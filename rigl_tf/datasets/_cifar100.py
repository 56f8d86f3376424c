"""CIFAR-100: 60,000 photographs of 32 x 32 pixels in 100 classes."""

from collections.abc import Callable
from collections.abc import Sequence

from rigl_tf.datasets._cifar10 import load_cifar
from rigl_tf.datasets.augment import resize_and_flip
from rigl_tf.datasets.dataset import Dataset
from rigl_tf.typing import PathLike

MEAN = (0.5071, 0.4865, 0.4409)
STD = (0.2673, 0.2564, 0.2762)


def cifar100(
    batch_size: int = 128,
    validation: int = 5000,
    mean: Sequence[float] = MEAN,
    std: Sequence[float] = STD,
    augment: Callable | None = resize_and_flip,
    data_dir: PathLike | None = None,
) -> Dataset:
    """Loads CIFAR-100, which `rigl-prepare --dataset=cifar100` has prepared.

    See `cifar10` for the arguments.

    Returns:
        `Dataset` of 100 classes.
    """
    return load_cifar(
        "cifar100", batch_size, validation, mean, std, augment, data_dir
    )
