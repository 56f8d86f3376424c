"""Tickets on disk: arrays and JSON in one `.npz` file, without pickle."""

import io
import json
import pathlib
import zipfile

import numpy as np
import tensorflow as tf

from rigl_tf import durable
from rigl_tf import files

VERSION = 1
_FORMAT = "rigl_tf ticket"
_FACTS = "ticket.json"


def write(path, facts, arrays):
    """Writes a file, whole or not at all.

    Args:
        path: Path of the file, which is replaced if it is there.
        facts: Dictionary that JSON can hold.
        arrays: Dictionary from name to array.
    """
    path = pathlib.Path(path)
    facts = {
        "format": _FORMAT,
        "version": VERSION,
        # Some, such as bfloat16, NumPy writes as bytes without a type.
        "dtypes": {name: array.dtype.name for name, array in arrays.items()},
        **facts,
    }
    with durable.replacing(path) as partial:
        with partial.open("wb") as file:
            np.savez(file, **arrays)
        with zipfile.ZipFile(partial, "a") as archive:
            archive.writestr(_FACTS, json.dumps(facts))


def read(path):
    """Reads a file.

    Args:
        path: Path of the file.

    Returns:
        Pair of facts and arrays, as they were written.

    Raises:
        OSError: If it cannot be opened.
        ValueError: If it is not a ticket, damaged or of another version.
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
            raise ValueError("it is compressed, which no ticket is")
        if _FACTS not in archive.namelist():
            raise ValueError(f"it has no {_FACTS}")
        damaged = archive.testzip()  # by the checksums
        if damaged is not None:
            raise ValueError(f"{damaged} in it is damaged")
        facts = json.loads(archive.read(_FACTS))
        if facts["format"] != _FORMAT:
            raise ValueError(f"it is a {facts['format']!r}")
        if facts["version"] != VERSION:
            raise ValueError(
                f"it has version {facts['version']!r}, and this version of "
                f"rigl_tf reads {VERSION}"
            )
        arrays = {
            name: _array(archive.read(f"{name}.npy"), dtype)
            for name, dtype in facts["dtypes"].items()
        }
    return facts, arrays


def _array(data, dtype):
    """An array as NumPy has written it, which is as long as it says.

    `numpy.load` takes memory for what the file says.
    """
    file = io.BytesIO(data)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("it has arrays of another version of NumPy's format")
    shape, is_fortran, written = np.lib.format.read_array_header_1_0(file)
    flat = np.frombuffer(bytearray(file.read()), written)
    array = flat.reshape(shape, order="F" if is_fortran else "C")
    return array.view(tf.as_dtype(dtype).as_numpy_dtype)
