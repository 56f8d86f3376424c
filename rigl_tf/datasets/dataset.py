"""What every pipeline returns, and how to make one from arrays."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Examples to train on, to choose by and to report on.

    All batches are pairs of `x`, float32 of shape (examples, *input_shape),
    and `y`, int32 class labels of shape (examples,).

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
    """

    name: str
    input_shape: tuple[int, ...]
    num_classes: int
    num_train: int
    batch_size: int
    train: Callable[..., tf.data.Dataset]
    validation: tf.data.Dataset | None
    test: tf.data.Dataset

    def __post_init__(self):
        _check_integer(self.num_classes, "num_classes", least=2)
        _check_integer(self.num_train, "num_train", least=1)
        _check_integer(self.batch_size, "batch_size", least=1)

    @property
    def steps_per_epoch(self):
        """Batches in one epoch, the partial last one included."""
        return -(-self.num_train // self.batch_size)


def from_arrays(
    name, *, train, test, validation=None, num_classes, batch_size=32
):
    """Makes a `Dataset` of arrays, which are kept in memory.

    The training order is computed by TensorFlow alone, so that an iterator
    over it can be saved in a checkpoint and distributed by a strategy.

    Args:
        name: String.
        train: Pair of arrays: `x` of shape (examples, ...), any numbers that
            are finite as float32, and `y` of shape (examples,), integers in
            [0, num_classes).
        test: Pair of arrays, likewise; same `x.shape[1:]` as in `train`.
        validation: Pair of arrays, likewise, or `None`.
        num_classes: Integer, at least 2.
        batch_size: Integer, at least 1, examples in a batch.

    Returns:
        `Dataset`.

    Raises:
        ValueError: If an argument is out of range, or arrays are empty, not
            finite, or do not fit together.
    """
    _check_integer(num_classes, "num_classes", least=2)
    _check_integer(batch_size, "batch_size", least=1)
    train = _checked_pair(train, "train", num_classes)
    test = _checked_pair(test, "test", num_classes)
    _check_same_shape(test, "test", train)
    if validation is not None:
        validation = _checked_pair(validation, "validation", num_classes)
        _check_same_shape(validation, "validation", train)
        validation = _in_order(validation, batch_size)
    return Dataset(
        name=name,
        input_shape=train[0].shape[1:],
        num_classes=num_classes,
        num_train=len(train[0]),
        batch_size=batch_size,
        train=_shuffled_by_epoch(train, batch_size),
        validation=validation,
        test=_in_order(test, batch_size),
    )


def _shuffled_by_epoch(arrays, batch_size):
    """The function `train` of a `Dataset`."""
    x, y = _on_host(arrays)

    def train(seed, epoch=0, batch=0):
        _check_integer(seed, "seed")
        _check_integer(epoch, "epoch", least=0)
        _check_integer(batch, "batch", least=0)

        def one_epoch(number):
            order = tf.random.experimental.stateless_shuffle(
                tf.range(tf.shape(y)[0]),
                seed=tf.stack([tf.constant(seed, tf.int64), number]),
                alg="philox",
            )
            return tf.data.Dataset.from_tensor_slices(order).batch(batch_size)

        # Batches are cut within an epoch: no batch spans two of them.
        return (
            tf.data.Dataset.counter(epoch)
            .flat_map(one_epoch)
            .skip(batch)
            .map(lambda chosen: (tf.gather(x, chosen), tf.gather(y, chosen)))
            .prefetch(tf.data.AUTOTUNE)
            .with_options(_by_example())
        )

    return train


def _in_order(arrays, batch_size):
    batches = tf.data.Dataset.from_tensor_slices(_on_host(arrays))
    batches = batches.batch(batch_size).prefetch(tf.data.AUTOTUNE)
    return batches.with_options(_by_example())


def _by_example():
    """Options by which workers share examples, as there are no files."""
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.DATA
    )
    return options


def _on_host(arrays):
    with tf.device("CPU:0"):
        return tuple(tf.constant(array) for array in arrays)


def _checked_pair(arrays, name, num_classes):
    """Arrays `x`, float32, and `y`, int32, or an error."""
    if not isinstance(arrays, tuple | list) or len(arrays) != 2:
        raise ValueError(
            f"`{name}` must be a pair of arrays `(x, y)`. "
            f"Received: {name} of type {type(arrays).__name__}."
        )
    x, y = (np.asarray(array) for array in arrays)
    if x.ndim < 2 or y.ndim != 1:
        raise ValueError(
            f"`{name}` must have `x` of shape (examples, ...), with at least "
            "one dimension per example, and `y` of shape (examples,): labels, "
            f"not one-hot vectors. Received: x.shape={x.shape}, "
            f"y.shape={y.shape}."
        )
    if len(x) != len(y):
        raise ValueError(
            f"`{name}` must have one label for each example. "
            f"Received: {len(x)} examples in `x`, {len(y)} labels in `y`."
        )
    if x.size == 0:
        raise ValueError(
            f"`{name}` must not be empty. Received: x.shape={x.shape}."
        )
    return _checked_inputs(x, name), _checked_labels(y, name, num_classes)


def _checked_inputs(x, name):
    with np.errstate(over="ignore"):  # reported below
        x = x.astype(np.float32, copy=False)
    num_bad = x.size - np.count_nonzero(np.isfinite(x))
    if num_bad:
        raise ValueError(
            f"`x` of `{name}` must be finite as float32. Received: {num_bad} "
            f"of {x.size} values NaN or infinite. Remove or replace them."
        )
    return x


def _checked_labels(y, name, num_classes):
    if not np.issubdtype(y.dtype, np.integer):
        raise ValueError(
            f"`y` of `{name}` must have an integer dtype. Received: "
            f"y.dtype={y.dtype}. Convert it with `y.astype(int)`."
        )
    if y.min() < 0 or y.max() >= num_classes:
        raise ValueError(
            f"`y` of `{name}` must be in [0, {num_classes}). Received: labels "
            f"from {y.min()} to {y.max()}. Renumber them from 0, or raise "
            f"num_classes={num_classes}."
        )
    return y.astype(np.int32)


def _check_same_shape(arrays, name, train):
    expected, received = train[0].shape[1:], arrays[0].shape[1:]
    if expected != received:
        raise ValueError(
            f"`x` of `{name}` must have examples of the same shape as those of "
            f"`train`, {expected}. Received: examples of shape {received}."
        )


def _check_integer(value, name, least=-(2**63)):
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
