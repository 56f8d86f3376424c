"""Tickets on disk: arrays and JSON in one `.npz` file, without pickle."""

import io
import json
import pathlib
import zipfile

import numpy as np
import tensorflow as tf

from rigl_tf.utils import durable
from rigl_tf.utils import files

VERSION = 1
_FORMAT = "rigl_tf ticket"
_METADATA = "ticket.json"


def write(path, metadata, arrays):
    """Writes a ticket file atomically.

    Args:
        path: Path of the file. An existing file is replaced.
        metadata: Dictionary of JSON values.
        arrays: Dictionary from name to array.
    """
    path = pathlib.Path(path)
    metadata = {
        "format": _FORMAT,
        "version": VERSION,
        # NumPy writes some dtypes, such as bfloat16, as untyped bytes.
        "dtypes": {name: array.dtype.name for name, array in arrays.items()},
        **metadata,
    }
    with durable.replacing(path) as partial:
        with partial.open("wb") as file:
            np.savez(file, **arrays)
        with zipfile.ZipFile(partial, "a") as archive:
            archive.writestr(_METADATA, json.dumps(metadata))


def read(path):
    """Reads a ticket file.

    Args:
        path: Path of the file.

    Returns:
        Pair of the metadata and the arrays, as `write` takes them.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If the file is not a ticket, is damaged or has another
            version.
    """
    files.size(path)  # or it may never end
    with pathlib.Path(path).open("rb") as file:
        try:
            return _read(file)
        except Exception as error:  # zipfile and NumPy raise anything
            raise ValueError(
                f"{path} cannot be read as a ticket: "
                f"{error or type(error).__name__}."
            ) from None


def _read(file):
    with zipfile.ZipFile(file) as archive:
        parts = archive.infolist()
        if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
            raise ValueError("tickets are not compressed, and the file is")
        if _METADATA not in archive.namelist():
            raise ValueError(f"the file has no {_METADATA}")
        damaged = archive.testzip()  # compares checksums
        if damaged is not None:
            raise ValueError(f"{damaged} in the file is damaged")
        metadata = json.loads(archive.read(_METADATA))
        if metadata["format"] != _FORMAT:
            raise ValueError(
                f"expected format {_FORMAT!r}, received {metadata['format']!r}"
            )
        if metadata["version"] != VERSION:
            raise ValueError(
                f"expected version {VERSION}, received "
                f"{metadata['version']!r}; another version of rigl_tf wrote "
                "the file"
            )
        arrays = {
            name: _array(archive.read(f"{name}.npy"), dtype)
            for name, dtype in metadata["dtypes"].items()
        }
    return metadata, arrays


def _array(data, dtype):
    """Returns the array in the bytes of an `.npy` file.

    `numpy.load` allocates memory for any shape that the header claims. This
    function allocates as much as there are bytes.
    """
    file = io.BytesIO(data)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("its arrays have another version of NumPy's format")
    shape, is_fortran, written = np.lib.format.read_array_header_1_0(file)
    flat = np.frombuffer(bytearray(file.read()), written)
    array = flat.reshape(shape, order="F" if is_fortran else "C")
    return array.view(tf.as_dtype(dtype).as_numpy_dtype)
