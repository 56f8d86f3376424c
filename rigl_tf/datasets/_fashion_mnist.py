"""Fashion-MNIST: 70,000 photographs of clothes, 28 x 28 pixels."""

from rigl_tf.datasets._mnist import load_mnist
from rigl_tf.datasets.dataset import Dataset
from rigl_tf.typing import PathLike

# Statistics of the 60,000 training images.
MEAN, STD = 0.2860, 0.3530


def fashion_mnist(
    batch_size: int = 128,
    validation: int = 5000,
    mean: float = MEAN,
    std: float = STD,
    data_dir: PathLike | None = None,
) -> Dataset:
    """Loads Fashion-MNIST, which `rigl-prepare` has prepared.

    Debian and Ubuntu have the files in the package `dataset-fashion-mnist`, for
    `rigl-prepare --dataset=fashion_mnist
    --archive=/usr/share/datasets/fashion-mnist`. See `mnist` for the arguments.

    Returns:
        `Dataset` of 10 classes, 28 x 28 pixels in one channel.

    Raises:
        FileNotFoundError: If the data set is not prepared.

    Reference:
        [Xiao et al., 2017](https://arxiv.org/abs/1708.07747).
    """
    return load_mnist(
        "fashion_mnist", batch_size, validation, mean, std, data_dir
    )
