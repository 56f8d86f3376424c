"""CIFAR-100: 60,000 photographs of 32 x 32 pixels in 100 classes."""

from rigl_tf.datasets._cifar10 import load_cifar
from rigl_tf.datasets.augment import resize_and_flip

MEAN = (0.5071, 0.4865, 0.4409)
STD = (0.2673, 0.2564, 0.2762)


def cifar100(
    batch_size=128,
    validation=5000,
    mean=MEAN,
    std=STD,
    augment=resize_and_flip,
    data_dir=None,
):
    """Loads CIFAR-100, which `rigl-prepare --dataset=cifar100` has prepared.

    See `cifar10` for the arguments.

    Returns:
        `Dataset` of 100 classes.
    """
    return load_cifar(
        "cifar100", batch_size, validation, mean, std, augment, data_dir
    )
