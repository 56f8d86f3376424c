"""CIFAR-10: 60,000 photographs of 32 x 32 pixels in 10 classes."""

from rigl_tf.datasets import pictures
from rigl_tf.datasets.arrays import from_arrays
from rigl_tf.datasets.augment import crop_and_flip

# Of the training pictures, as the reproduction of RigL has them.
MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2023, 0.1994, 0.2010)


def cifar10(
    batch_size=128,
    validation=5000,
    mean=MEAN,
    std=STD,
    augment=crop_and_flip,
    data_dir=None,
):
    """Loads CIFAR-10, which `rigl-prepare --dataset=cifar10` has prepared.

    Args:
        batch_size: Integer, at least 1, examples in a batch.
        validation: Integer, how many of the 50,000 training pictures, the
            last ones, are kept for validation. With 0, all are trained on.
        mean: Tuple of three floats, subtracted from pixels in [0, 1].
        std: Tuple of three floats, by which they are divided then. `None`
            standardizes each picture by itself, as the RigL paper does.
        augment: Function of `rigl_tf.datasets.augment`, or `None`.
        data_dir: Where TFDS keeps prepared data, or `None` for its default.

    Returns:
        `Dataset` of 10 classes.

    Raises:
        FileNotFoundError: If it is not prepared; says how to do it.

    Reference:
        [Krizhevsky, 2009](https://www.cs.toronto.edu/~kriz/cifar.html).
    """
    return load_cifar(
        "cifar10", batch_size, validation, mean, std, augment, data_dir
    )


def load_cifar(name, batch_size, validation, mean, std, augment, data_dir):
    """Loads one of both CIFARs; see `cifar10` and `cifar100`."""
    train, held_out = pictures.split_off(
        pictures.read(name, "train", data_dir), validation
    )
    return from_arrays(
        name,
        train=train,
        validation=held_out,
        test=pictures.read(name, "test", data_dir),
        num_classes=int(name.removeprefix("cifar")),
        batch_size=batch_size,
        transform=(
            pictures.standardized
            if std is None
            else pictures.normalized(mean, std)
        ),
        augment=augment,
    )
