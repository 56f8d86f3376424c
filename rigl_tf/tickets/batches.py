"""Conversion of the training data that `fit` takes for ticket finders."""

import dataclasses
import functools
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf
from keras import tree

from rigl_tf._keras_compat import can_convert_arrays
from rigl_tf._keras_compat import get_data_adapter
from rigl_tf.datasets import Dataset
from rigl_tf.datasets.arrays import shuffled_by_epoch
from rigl_tf.utils.validation import check_count

_ACCEPTED_DATA = (
    "arrays `(x, y)` or `(x, y, sample_weight)`, a batched `tf.data.Dataset`, "
    "a `keras.utils.PyDataset`, or a `rigl_tf.datasets.Dataset`"
)


@dataclasses.dataclass(frozen=True)
class Batches:
    """A user's data with the interface of a `Dataset`.

    Attributes:
        train: Function `train(seed, epoch=0, batch=0)`, as in `Dataset`.
            Batches are tuples `(x, y)` or `(x, y, sample_weight)`.
        count: Function without arguments that returns the number of batches
            in one epoch.
        validation: `tf.data.Dataset` of batches, or `None`.
        name: String.
    """

    train: Callable[..., tf.data.Dataset]
    count: Callable[[], int]
    validation: tf.data.Dataset | None = None
    name: str = "data"
    hold_out = None

    @functools.cached_property
    def steps_per_epoch(self):
        """Integer. If the number is unknown, all batches are read once."""
        count = int(self.count())
        if count == 0:
            _refuse_empty("data")
        return count

    @functools.cached_property
    def input_shape(self):
        """Shape of one example: a tuple of integers, or a structure of them."""
        spec: Any = self.train(0).element_spec
        x = spec[0]
        if not all(s.shape[1:].is_fully_defined() for s in tree.flatten(x)):
            x = next(iter(self.train(0)))[0]
        return tree.map_structure(lambda one: tuple(one.shape[1:]), x)


def from_data(data, network, batch_size=None, validation_data=None):
    """Converts any data that `fit` takes to the form that finders use.

    Args:
        data: See `TicketFinder.find`.
        network: Built `keras.Model`.
        batch_size: Integer, only for arrays; `None` for 32.
        validation_data: Like `data`, or `None`.

    Returns:
        `Dataset` if `data` is one, or `Batches`.

    Raises:
        TypeError: If the type of the data is not supported.
        ValueError: If the data are empty, endless, not batched or without
            labels, or if their lengths differ.
    """
    check_count("batch_size", batch_size, optional=True)
    if isinstance(data, Dataset):
        if batch_size is not None or validation_data is not None:
            raise ValueError(
                "A `rigl_tf.datasets.Dataset` already has batches and "
                "validation data. Leave out `batch_size` and "
                f"`validation_data`. Received: batch_size={batch_size}, and "
                f"validation_data of type {type(validation_data).__name__}."
            )
        return data
    adapter = _adapter("data", data, network, batch_size)
    if batch_size is not None and not isinstance(data, tuple | list):
        raise ValueError(
            "`batch_size` is only for arrays; `data` already has batches. "
            f"Received: batch_size={batch_size}. Leave it out."
        )
    if isinstance(data, tuple | list):
        num_examples = len(tree.flatten(data)[0])
        whole = get_data_adapter(*data, batch_size=num_examples)
        arrays = next(iter(whole.get_tf_dataset()))
        train = shuffled_by_epoch(arrays, adapter.batch_size)
    elif isinstance(data, tf.data.Dataset):
        train = functools.partial(_repeated, data)
    else:
        train = functools.partial(_read, data, adapter)
    validation = None
    if validation_data is not None:
        read = _adapter("validation_data", validation_data, network, batch_size)
        validation = read.get_tf_dataset()
        if read.num_batches is not None:
            length = tf.data.experimental.assert_cardinality(read.num_batches)
            validation = validation.apply(length)
    return Batches(train, functools.partial(_count, adapter), validation)


def _repeated(data, seed, epoch=0, batch=0):
    """Repeats the batches of a `tf.data.Dataset` without end, in order."""
    del seed, epoch
    return data.repeat().skip(batch)


def _read(data, first, seed, epoch=0, batch=0):
    """Repeats data that Keras reads in Python, such as a `PyDataset`."""
    del seed, epoch

    def batches():
        while True:
            adapter = get_data_adapter(data)
            adapter.on_epoch_begin()
            try:
                yield from adapter.get_numpy_iterator()
            finally:
                adapter.on_epoch_end()

    spec = first.get_tf_dataset().element_spec
    endless = tf.data.Dataset.from_generator(batches, output_signature=spec)
    return endless.skip(batch)


def _count(adapter):
    """Returns the number of batches in one epoch."""
    if adapter.num_batches is not None:
        return adapter.num_batches
    return adapter.get_tf_dataset().reduce(0, lambda number, *batch: number + 1)


def _adapter(name, data, network, batch_size):
    """Returns Keras's adapter for the data, after checking them."""
    if isinstance(data, Iterator):
        raise TypeError(
            f"`{name}` must be data that can be read more than once. "
            f"Received: {name}={data!r}, an iterator. Pass a "
            "`keras.utils.PyDataset`, or a `tf.data.Dataset` made with "
            "`from_generator`."
        )
    are_parts = isinstance(data, tuple | list) and len(data) in (2, 3)
    parts = data if are_parts else (data,)
    try:
        if can_convert_arrays(parts) is not are_parts:
            raise ValueError
        adapter = get_data_adapter(*parts, batch_size=batch_size)
    except ValueError as error:
        if str(error).startswith("Data cardinality"):
            raise
        raise TypeError(
            f"`{name}` must be {_ACCEPTED_DATA}. "
            f"Received: {name} of type {type(data).__name__}."
        ) from None
    if adapter.num_batches == 0:
        _refuse_empty(name)
    is_endless = isinstance(data, keras.utils.PyDataset)
    if isinstance(data, tf.data.Dataset):
        is_endless = data.cardinality() == tf.data.INFINITE_CARDINALITY
    if is_endless and adapter.num_batches is None:
        raise ValueError(
            f"`{name}` must end after one epoch. Received: {name}={data!r}. "
            "Leave out `repeat()`, or limit the data with "
            "`take(number of batches)`."
        )
    _check_spec(name, adapter.get_tf_dataset().element_spec, network)
    return adapter


def _check_spec(name, spec, network):
    """Checks that the elements are batches of examples and labels."""
    if not isinstance(spec, tuple) or len(spec) not in (2, 3):
        raise ValueError(
            f"`{name}` must have labels: pairs `(x, y)`, or `(x, y, "
            f"sample_weight)`. Received elements: {spec!r}."
        )
    x, y = tree.flatten(spec[0]), tree.flatten(spec[1])
    inputs = getattr(network, "inputs", None) or x
    too_few = any(
        one.shape.rank is not None
        # Keras adds a last dimension of 1.
        and one.shape.rank + (wanted.shape[-1:] == (1,)) < len(wanted.shape)
        for one, wanted in zip(x, inputs, strict=False)
    )
    if too_few or any(one.shape.rank == 0 for one in y):
        raise ValueError(
            f"`{name}` must be batched: `x` of shape (examples, ...). Received "
            f"elements: {spec!r}. Call `{name}.batch(32)`."
        )


def _refuse_empty(name):
    raise ValueError(f"`{name}` must not be empty. Received 0 batches.")
