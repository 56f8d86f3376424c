"""Checkpoints on disk: arrays and JSON, whole or not there at all.

A checkpoint is a directory such as `epoch-000012-000000345` with three files:
`arrays.bin`, the bytes of all arrays one after another; `facts.json`, among
others their names, types and shapes; `manifest.json`, the schema's version and
the SHA-256 of both.
"""

import hashlib
import json
import math
import os
import pathlib
import shutil
import stat
from typing import NamedTuple

import numpy as np
import tensorflow as tf

SCHEMA_VERSION = 1
_ARRAYS, _FACTS, _MANIFEST = "arrays.bin", "facts.json", "manifest.json"
_MOST_JSON = 2**26  # bytes; a file larger than this is none of ours


class Spec(NamedTuple):
    """What an array is.

    Attributes:
        name: String, unique in its checkpoint.
        dtype: String.
        shape: Tuple of integers.
    """

    name: str
    dtype: str
    shape: tuple

    def __str__(self):
        return f"{self.name} ({self.dtype} of shape {tuple(self.shape)})"

    @property
    def num_bytes(self):
        """Integer, its size in the file."""
        return math.prod(self.shape) * self._numpy().itemsize

    def of(self, data):
        """The array of some bytes."""
        if self.dtype == "bool":
            return (
                np.frombuffer(data, np.uint8).astype(bool).reshape(self.shape)
            )
        return np.frombuffer(data, self._numpy()).reshape(self.shape)

    def _numpy(self):
        return np.dtype(tf.as_dtype(self.dtype).as_numpy_dtype)


def write(path, specs, arrays, facts, keep):
    """Writes one checkpoint and removes old ones beside it.

    Args:
        path: Path; those of later checkpoints sort after it.
        specs: List of `Spec`.
        arrays: Iterable of the arrays themselves.
        facts: Dictionary that JSON can hold.
        keep: Integer, how many checkpoints stay.

    Raises:
        OSError: If it cannot be written. The others are as they were.
    """
    directory = path.parent
    partial = directory / f"partial-{path.name}"
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        data = (np.ascontiguousarray(array).tobytes() for array in arrays)
        facts = {**facts, "arrays": specs}
        manifest = {
            "schema_version": SCHEMA_VERSION,
            "sha256": {
                _ARRAYS: _write(partial / _ARRAYS, data),
                _FACTS: _write(partial / _FACTS, [json.dumps(facts).encode()]),
            },
        }
        _write(partial / _MANIFEST, [json.dumps(manifest).encode()])
        _sync(partial)
        shutil.rmtree(path, ignore_errors=True)  # only if it was unreadable
        os.rename(partial, path)
        _sync(directory)
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    for old in [*directory.glob("partial-*"), *paths(directory)[:-keep]]:
        shutil.rmtree(old, ignore_errors=True)


def paths(directory):
    """The checkpoints of a directory, oldest first."""
    return sorted(pathlib.Path(directory).glob("epoch-*"))


def read_facts(path):
    """Reads what a checkpoint says of itself, if its files are unharmed.

    Returns:
        Dictionary.

    Raises:
        ValueError: If a file is missing or is not what was written.
    """
    manifest = _read_json(path / _MANIFEST)
    version = manifest.get("schema_version")
    if version != SCHEMA_VERSION:
        raise ValueError(
            f"has schema version {version!r}; this version of rigl_tf reads "
            f"{SCHEMA_VERSION}"
        )
    digests = manifest.get("sha256")
    for name in (_FACTS, _ARRAYS):
        digest = digests.get(name) if isinstance(digests, dict) else None
        if _digest(path / name) != digest:
            raise ValueError(f"{name} is not what was written")
    return _read_json(path / _FACTS)


def read_arrays(path, facts, expected):
    """Reads arrays that are exactly as expected.

    Sizes are those expected, never those that a file declares.

    Args:
        path: Path of a checkpoint.
        facts: What `read_facts` has returned.
        expected: List of `Spec`.

    Returns:
        List of arrays.

    Raises:
        ValueError: If the checkpoint has others.
    """
    try:
        found = [Spec(n, d, tuple(s)) for n, d, s in facts["arrays"]]
    except (KeyError, TypeError, ValueError):
        raise ValueError("does not say what arrays it has") from None
    for there, here in zip(found, expected, strict=False):
        if there != here:
            raise ValueError(
                f"belongs to another model: {there} there, {here} here"
            )
    if len(found) != len(expected):
        raise ValueError(
            f"belongs to another model: {len(found)} arrays there, "
            f"{len(expected)} here"
        )
    size = (path / _ARRAYS).stat().st_size
    if size != sum(spec.num_bytes for spec in expected):
        raise ValueError(f"{_ARRAYS} has another size than its arrays")
    with (path / _ARRAYS).open("rb") as file:
        return [spec.of(file.read(spec.num_bytes)) for spec in expected]


def _write(path, chunks):
    """Writes a file to the disk itself; returns its SHA-256."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for chunk in chunks:
            file.write(chunk)
            digest.update(chunk)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _sync(directory):
    """Writes the names in a directory to the disk itself."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(path):
    _check_file(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_json(path):
    if _check_file(path) > _MOST_JSON:
        raise ValueError(f"{path.name} is too large")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise ValueError(f"{path.name} is not what was written")
    return values


def _check_file(path):
    """The size of an ordinary file."""
    try:
        found = path.lstat()
    except OSError:
        raise ValueError(f"{path.name} is missing") from None
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"{path.name} is not an ordinary file")
    return found.st_size
