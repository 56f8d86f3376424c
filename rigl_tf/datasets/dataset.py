"""What every pipeline returns."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Examples to train on, to choose by and to report on.

    All batches are pairs of `x`, float32 of shape (examples, *input_shape),
    and `y`, int32 class labels of shape (examples,). Of texts, both are int32
    of shape (examples, length).

    Attributes:
        name: String.
        input_shape: Tuple of integers, the shape of one example.
        num_classes: Integer, at least 2. Labels are in [0, num_classes).
        num_train: Integer, training examples in one epoch.
        batch_size: Integer, examples in a batch. The last batch of an epoch
            has what is left.
        train: Function `train(seed, epoch=0, batch=0)` that returns an
            endless `tf.data.Dataset` of batches, from the given batch of the
            given epoch on. The order within an epoch depends on nothing but
            `seed` and the epoch's number.
        validation: `tf.data.Dataset` of batches, or `None`.
        test: `tf.data.Dataset` of batches.
        hold_out: Function of a number of training examples to the same data
            set with these kept for validation, or `None` if there is none.
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
    def steps_per_epoch(self):
        """Batches in one epoch, the partial last one included."""
        return -(-self.num_train // self.batch_size)


def check_place(seed, epoch, batch):
    """Checks the arguments of `Dataset.train`."""
    check_integer(seed, "seed")
    check_integer(epoch, "epoch", least=0)
    check_integer(batch, "batch", least=0)


def check_integer(value, name, least=-(2**63)):
    """Raises a ValueError unless a value is an integer of 64 bits."""
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
