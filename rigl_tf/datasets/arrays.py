"""Data sets from arrays in memory."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from keras import tree

from rigl_tf.datasets.dataset import Dataset
from rigl_tf.datasets.dataset import check_integer
from rigl_tf.datasets.dataset import check_position
from rigl_tf.utils.tensors import shuffle


def from_arrays(
    name: str,
    *,
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    validation: tuple[np.ndarray, np.ndarray] | None = None,
    num_classes: int,
    batch_size: int = 32,
    transform: Callable | None = None,
    augment: Callable | None = None,
) -> Dataset:
    """Builds a `Dataset` from arrays, which are kept in memory.

    The training order is computed by TensorFlow operations, so that an
    iterator can be saved in a checkpoint and distributed by a strategy.

    Args:
        name: String.
        train: Pair of arrays: `x` of shape (examples, ...), any numbers that
            are finite as float32, and `y` of shape (examples,) or the shape
            of `x`, integers in [0, num_classes).
        test: Pair of arrays like `train`, with the same `x.shape[1:]`.
        validation: Pair of arrays like `test`, or `None`.
        num_classes: Integer, at least 2.
        batch_size: Integer, at least 1, examples in a batch.
        transform: Function from a batch of `x` to the inputs of a network, or
            `None`. With a function, arrays keep their dtype, such as uint8
            for pixels; with `None`, they become float32.
        augment: Function from a training batch of `x` and a seed, a tensor of
            two integers, to a batch of the same shape, or `None`. It is
            applied before `transform`; its seeds depend on the seed of the
            order.

    Returns:
        `Dataset`.

    Raises:
        ValueError: If an argument is out of range, or arrays are empty, not
            finite, or do not fit together.
    """
    check_integer(num_classes, "num_classes", least=2)
    check_integer(batch_size, "batch_size", least=1)
    dtype = np.float32 if transform is None else None
    train = x, y = _check_pair(train, "train", num_classes, dtype)
    test = _check_pair(test, "test", num_classes, dtype)
    _check_same_shape(test, "test", train)
    held_out = None
    if validation is not None:
        validation = _check_pair(validation, "validation", num_classes, dtype)
        _check_same_shape(validation, "validation", train)
        held_out = _in_order(validation, batch_size, transform)

    def hold_out(num):
        order = np.random.default_rng(0).permutation(len(x))
        later, first = order[num:], order[:num]
        return from_arrays(
            name,
            train=(x[later], y[later]),
            test=test,
            validation=(x[first], y[first]),
            num_classes=num_classes,
            batch_size=batch_size,
            transform=transform,
            augment=augment,
        )

    return Dataset(
        name=name,
        input_shape=x.shape[1:],
        num_classes=num_classes,
        num_train=len(x),
        batch_size=batch_size,
        train=_shuffled_by_epoch(train, batch_size, transform, augment),
        validation=held_out,
        test=_in_order(test, batch_size, transform),
        hold_out=hold_out,
    )


def _shuffled_by_epoch(arrays, batch_size, transform, augment):
    """Returns the function `train` of a `Dataset`."""

    def change(batch, seeds):
        x, y = batch
        if augment is not None:
            x = augment(x, seeds)
        return (x if transform is None else transform(x)), y

    return shuffled_by_epoch(_on_host(arrays), batch_size, change)


def shuffled_by_epoch(arrays, batch_size, change=None):
    """Returns endless batches, shuffled by a seed and the epoch number.

    Args:
        arrays: Structure of tensors of shape (examples, ...).
        batch_size: Integer.
        change: Function from a batch and a seed, a tensor of two integers,
            to a batch, or `None`.

    Returns:
        Function `train` of a `Dataset`.
    """
    num_examples = len(tree.flatten(arrays)[0])

    def train(seed, epoch=0, batch=0):
        check_position(seed, epoch, batch)

        def one_epoch(number):
            seeds = tf.stack([tf.constant(seed, tf.int64), number])
            order = shuffle(tf.range(num_examples), seeds)
            batches = tf.data.Dataset.from_tensor_slices(order)
            return (
                batches.batch(batch_size)
                .enumerate()
                .map(lambda index, indices: (indices, seeds, index))
            )

        def look_up(indices, seeds, index):
            batch = tree.map_structure(lambda a: tf.gather(a, indices), arrays)
            if change is None:
                return batch
            return change(batch, tf.random.fold_in(seeds, index))

        # Batches are formed within an epoch: no batch spans two epochs.
        return (
            tf.data.Dataset.counter(epoch)
            .flat_map(one_epoch)
            .skip(batch)
            .map(look_up, tf.data.AUTOTUNE, deterministic=True)
            .prefetch(tf.data.AUTOTUNE)
            .with_options(_by_example())
        )

    return train


def _in_order(arrays, batch_size, transform):
    batches = tf.data.Dataset.from_tensor_slices(_on_host(arrays))
    batches = batches.batch(batch_size)
    if transform is not None:
        batches = batches.map(lambda x, y: (transform(x), y), tf.data.AUTOTUNE)
    return batches.prefetch(tf.data.AUTOTUNE).with_options(_by_example())


def _by_example():
    """Returns options that shard examples over workers instead of files."""
    options = tf.data.Options()
    # There is little to tune, and an iterator waits for its tuner to stop.
    options.autotune.enabled = False
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.DATA
    )
    return options


def _on_host(arrays):
    with tf.device("CPU:0"):
        return tuple(tf.constant(array) for array in arrays)


def _check_pair(arrays, name, num_classes, dtype):
    """Returns checked arrays `x`, in a dtype, and `y`, int32."""
    if not isinstance(arrays, tuple | list) or len(arrays) != 2:
        raise ValueError(
            f"`{name}` must be a pair of arrays `(x, y)`. "
            f"Received: {name} of type {type(arrays).__name__}."
        )
    x, y = (np.asarray(array) for array in arrays)
    if x.ndim < 2 or (y.ndim != 1 and y.shape != x.shape):
        raise ValueError(
            f"`{name}` must have `x` of shape (examples, ...), with at least "
            "one dimension per example, and `y` of shape (examples,) or the "
            "shape of `x`: labels, "
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
    return _check_inputs(x, name, dtype), _check_labels(y, name, num_classes)


def _check_inputs(x, name, dtype):
    with np.errstate(over="ignore"):  # reported below
        x = x.astype(dtype or x.dtype, copy=False)
    num_bad = x.size - np.count_nonzero(np.isfinite(x))
    if num_bad:
        raise ValueError(
            f"`x` of `{name}` must be finite as float32. Received: {num_bad} "
            f"of {x.size} values NaN or infinite. Remove or replace them."
        )
    return x


def _check_labels(y, name, num_classes):
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
            f"`x` of `{name}` must have examples of the same shape as `train`, "
            f"{expected}. Received: examples of shape {received}."
        )
