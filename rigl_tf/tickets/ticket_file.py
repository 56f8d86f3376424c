"""Tickets on disk: arrays and JSON in one `.npz` file, without pickle."""

import json
import pathlib
import zipfile

import numpy as np
import tensorflow as tf

from rigl_tf.utils import durable

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
    with pathlib.Path(path).open("rb") as file:
        try:
            return _read(file)
        except (
            AttributeError,
            EOFError,
            KeyError,
            MemoryError,
            NotImplementedError,  # unknown compression
            OverflowError,
            RecursionError,
            RuntimeError,  # encryption
            TypeError,
            ValueError,
            zipfile.BadZipFile,
        ) as error:
            raise ValueError(
                f"{path} cannot be read as a ticket: {error}."
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
            f"expected version {VERSION}, received {metadata['version']!r}; "
            "another version of rigl_tf wrote the file"
        )
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored:
        arrays = {
            name: stored[name].view(tf.as_dtype(dtype).as_numpy_dtype)
            for name, dtype in metadata["dtypes"].items()
        }
    return metadata, arrays
