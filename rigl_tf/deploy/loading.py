"""Loads models from files that are not trusted."""

import copy
import io
import json
import math
import re
import zipfile

import h5py
import keras
import tensorflow as tf

from rigl_tf import _keras_compat
from rigl_tf.utils import files

_MAX_CONFIG_BYTES = 2**26


def allowed_bytes(path):
    """Returns the memory that the weights of a file may take by default.

    1,000 times the size of the file, because zeros take no space in it, or
    2**28 bytes if that is more.
    """
    return max(1000 * files.size(path), 2**28)


def weights(config):
    """Returns the weights of a model without allocating memory for them.

    Args:
        config: Dictionary, a model serialized by
            `keras.saving.serialize_keras_object`.

    Returns:
        List of variables that have shapes and data types but no values.
    """
    with _keras_compat.unallocated():
        return keras.saving.deserialize_keras_object(
            copy.deepcopy(config),  # Keras empties it
            safe_mode=True,
        ).weights


def num_bytes(variables):
    """Returns the memory that weights take, in bytes."""
    return sum(
        math.prod(variable.shape) * tf.as_dtype(variable.dtype).size
        for variable in variables
    )


def read_keras(path):
    """Reads a `.keras` file in Keras's safe mode.

    Args:
        path: String or path.

    Returns:
        `keras.Model`.

    Raises:
        OSError: If the file does not exist.
        ValueError: If it is not a Keras file, would run code, or has parts or
            describes a model that take more memory than `allowed_bytes`.
    """
    max_bytes = allowed_bytes(path)
    try:
        with zipfile.ZipFile(path) as archive:
            entry = archive.getinfo("config.json")
            if entry.file_size > _MAX_CONFIG_BYTES:
                raise ValueError("its config.json is too large")
            config = json.loads(archive.read(entry))
            size = _unpacked_bytes(archive, max_bytes)
        config["compile_config"] = None
        size = max(size, num_bytes(weights(config)))
        if size > max_bytes:
            raise ValueError(
                f"its weights take {size:,} bytes, too many for so small a file"
            )
        return keras.saving.load_model(path)
    except Exception as error:  # a bad configuration can raise anything
        raise unreadable(path, "a model saved by Keras", error) from error


def unreadable(path, expected, error):
    """Returns a `ValueError` that says why a file cannot be read.

    Args:
        path: String or path of the file.
        expected: String, the content that the file should have.
        error: Exception that reading the file has raised.
    """
    missing = re.search(r"Could not locate class '(\w+)'", str(error))
    if missing:
        return ValueError(
            f"{path} cannot be read: nothing has defined its class "
            f"{missing[1]}. Import the module of the class first; in "
            "programs, with --module."
        )
    return ValueError(
        f"{path} cannot be read: it is not {expected} "
        f"({type(error).__name__}: {error})."
    )


def _unpacked_bytes(archive, max_bytes):
    """Returns the memory that reading the parts of a file takes, in bytes.

    Compressed parts, and arrays that HDF5 has not written, take no space in
    the file.
    """
    size = sum(entry.file_size for entry in archive.infolist())
    if size > max_bytes:
        return size
    arrays = []
    with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
        file.visititems(lambda name, item: arrays.append(_declared(item)))
    return max(size, sum(arrays))


def _declared(item):
    return item.nbytes if isinstance(item, h5py.Dataset) else 0
