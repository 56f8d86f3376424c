"""The result of every data pipeline."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Training, validation and test examples.

    All batches are pairs of `x`, float32 of shape (examples, *input_shape),
    and `y`, int32 class labels of shape (examples,). For texts, `x` and `y` are
    int32 of shape (examples, length).

    Attributes:
        name: String.
        input_shape: Tuple of integers, the shape of one example.
        num_classes: Integer, at least 2. Labels are in [0, num_classes).
        num_train: Integer, training examples in one epoch.
        batch_size: Integer, examples in a batch. The last batch of an epoch
            may be smaller.
        train: Function `train(seed, epoch=0, batch=0)` that returns an
            endless `tf.data.Dataset` of batches, which starts at the given
            batch of the given epoch. The order within an epoch depends only
            on `seed` and the number of the epoch.
        validation: `tf.data.Dataset` of batches, or `None`.
        test: `tf.data.Dataset` of batches.
        hold_out: Function from a number of training examples to the same data
            set with these examples for validation, or `None` if the data set
            does not support it.
    """

    name: str
    input_shape: tuple[int, ...]
    num_classes: int
    num_train: int
    batch_size: int
    train: Callable[..., tf.data.Dataset]
    validation: tf.data.Dataset | None
    test: tf.data.Dataset
    hold_out: Callable[[int], "Dataset"] | None = None

    def __post_init__(self):
        check_integer(self.num_classes, "num_classes", least=2)
        check_integer(self.num_train, "num_train", least=1)
        check_integer(self.batch_size, "batch_size", least=1)

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one epoch, the partial last batch included."""
        return -(-self.num_train // self.batch_size)


def check_position(seed, epoch, batch):
    """Checks the arguments of `Dataset.train`."""
    check_integer(seed, "seed")
    check_integer(epoch, "epoch", least=0)
    check_integer(batch, "batch", least=0)


def check_integer(value, name, least=-(2**63)):
    """Raises a ValueError unless a value is a 64-bit integer."""
    is_integer = isinstance(value, int | np.integer)
    if isinstance(value, bool) or not is_integer:
        raise ValueError(
            f"`{name}` must be an integer. Received: {name}={value!r}."
        )
    if not least <= value < 2**63:
        raise ValueError(
            f"`{name}` must be at least {least} and fit in 64 bits. "
            f"Received: {name}={value}."
        )
