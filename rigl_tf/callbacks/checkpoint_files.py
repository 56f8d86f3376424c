"""Checkpoints on disk: arrays and JSON, whole or not there at all.

A checkpoint is a directory such as `epoch-000012-000000345` with three files:
`arrays.bin`, the bytes of all arrays one after another, without zeros;
`facts.json`, among others their names, types and shapes; `manifest.json`, the
schema's version and the SHA-256 of both.
"""

import contextlib
import hashlib
import itertools
import json
import math
import os
import pathlib
import shutil
import stat
import time

from rigl_tf.callbacks import packed_arrays
from rigl_tf.callbacks.packed_arrays import Spec as Spec
from rigl_tf.utils import durable

SCHEMA_VERSION = 3
_ARRAYS, _FACTS, _MANIFEST = "arrays.bin", "facts.json", "manifest.json"
_PATTERN = "epoch-*"
_MOST_JSON = 2**26  # bytes; a file larger than this is none of ours


def write(path, specs, arrays, facts, keep):
    """Writes one checkpoint and removes old ones in the same directory.

    A checkpoint holds its number, higher than the number of any earlier
    checkpoint, and its name, so that copies made by hand are not counted.
    Checkpoints with lower numbers are removed once `keep` valid ones exist.

    Args:
        path: Path. If it exists, a number is added to the name.
        specs: List of `Spec`.
        arrays: Iterable of arrays, in the order of `specs`.
        facts: Dictionary of JSON values.
        keep: Integer, number of checkpoints to keep.

    Raises:
        OSError: If it cannot be written. Other checkpoints do not change.
    """
    directory = path.parent
    directory.mkdir(parents=True, exist_ok=True)
    durable.clear(directory)
    path = _free(path)
    before = _numbered(directory)
    facts = {
        **facts,
        "name": path.name,
        # Higher than that of one which just now cannot be read, too.
        "number": max([time.time_ns(), *before.values()]) + 1,
    }
    with durable.replacing(path) as partial:
        partial.mkdir()
        packer = packed_arrays.Packer()
        data = (
            packer.pack(spec, array)
            for spec, array in zip(specs, arrays, strict=True)
        )
        digest = _write(partial / _ARRAYS, data)
        facts["arrays"] = packer.packed
        manifest = {
            "schema_version": SCHEMA_VERSION,
            "sha256": {
                _ARRAYS: digest,
                _FACTS: _write(partial / _FACTS, [json.dumps(facts).encode()]),
            },
        }
        _write(partial / _MANIFEST, [json.dumps(manifest).encode()])
    whole = 1
    for old in sorted(before, key=before.__getitem__, reverse=True):
        if whole >= keep:
            _remove(old)
        elif _is_whole(old):
            whole += 1


def paths(directory):
    """Returns the checkpoints of a directory, oldest first.

    Checkpoints whose number cannot be read come last. Copies under other
    names are left out.
    """
    found = {
        path: _number(path)
        for path in sorted(pathlib.Path(directory).glob(_PATTERN))
    }
    return sorted(
        (path for path, number in found.items() if number > 0),
        key=found.__getitem__,
    )


def remove_all(directory):
    """Removes all checkpoints below a directory, and empty directories."""
    directory = pathlib.Path(directory)
    for path in [*directory.rglob(_PATTERN)]:
        if 0 < _number(path) < math.inf:
            _remove(path)
    folders = [path for path in directory.rglob("*") if path.is_dir()]
    for folder in [*sorted(folders, reverse=True), directory]:
        durable.clear(folder)
        with contextlib.suppress(OSError):  # it is not empty
            folder.rmdir()


def read_facts(path):
    """Reads the metadata of a checkpoint and verifies its files.

    Returns:
        Dictionary.

    Raises:
        ValueError: If a file is missing or was changed.
    """
    facts, digests = _read_facts(path)
    # Before the file is read, because a changed file may be very large.
    if _check_file(path / _ARRAYS) != _num_bytes(_packed(facts)):
        raise ValueError(f"{_ARRAYS} was changed after it was written")
    _check_digest(path / _ARRAYS, digests)
    return facts


def read_arrays(path, facts, expected):
    """Reads arrays that are exactly as expected.

    The sizes of arrays come from `expected`, never from the file.

    Args:
        path: Path of a checkpoint.
        facts: Dictionary that `read_facts` has returned.
        expected: List of `Spec`.

    Returns:
        List of arrays.

    Raises:
        ValueError: If the checkpoint has other arrays.
    """
    found = _packed(facts)
    for there, here in zip(found, expected, strict=False):
        if there.spec != here:
            raise ValueError(
                "belongs to another model: it has "
                f"{there.spec} instead of {here}"
            )
    if len(found) != len(expected):
        raise ValueError(
            f"belongs to another model: it has {len(found)} arrays instead of "
            f"{len(expected)}"
        )
    size = (path / _ARRAYS).stat().st_size
    if size != _num_bytes(found):
        raise ValueError(f"{_ARRAYS} does not have the size of its arrays")
    with (path / _ARRAYS).open("rb") as file:
        return [*packed_arrays.unpack(found, file.read)]


def _packed(facts):
    return packed_arrays.parse(facts.get("arrays"))


def _num_bytes(packed):
    return sum(array.num_bytes(index) for index, array in enumerate(packed))


def _remove(path):
    """Removes a checkpoint; no part of it stays under its name."""
    gone = path.with_name(f"{durable.PARTIAL}{path.name}")
    with contextlib.suppress(OSError):
        if not path.is_symlink():
            os.replace(path, gone)
            shutil.rmtree(gone)


def _read_facts(path):
    """Returns the metadata and the checksums; does not read the arrays."""
    manifest = _read_json(path / _MANIFEST)
    version = manifest.get("schema_version")
    if version != SCHEMA_VERSION:
        raise ValueError(
            f"has schema version {version!r}; this version of rigl_tf reads "
            f"{SCHEMA_VERSION}"
        )
    digests = manifest.get("sha256")
    facts = _read_json(path / _FACTS)  # or says at once that it is too large
    _check_digest(path / _FACTS, digests)
    return facts, digests


def _check_digest(path, digests):
    found = digests.get(path.name) if isinstance(digests, dict) else None
    if _digest(path) != found:
        raise ValueError(f"{path.name} was changed after it was written")


def _number(path):
    """Returns the number of a checkpoint: 0 if a copy, infinity if damaged."""
    if not path.is_dir():
        return 0
    try:
        facts, _ = _read_facts(path)
    except (ValueError, OSError):
        return math.inf
    number = facts.get("number")
    if facts.get("name") != path.name or type(number) is not int:
        return 0
    return number


def _numbered(directory):
    """Returns a dictionary from checkpoints with a valid number to it."""
    numbers = {path: _number(path) for path in directory.glob(_PATTERN)}
    return {path: n for path, n in numbers.items() if 0 < n < math.inf}


def _is_whole(path):
    try:
        read_facts(path)
    except (ValueError, OSError):
        return False
    return True


def _free(path):
    """Returns the path, or a similar path that does not exist yet."""
    names = (f"{path.name}-{count}" for count in itertools.count(2))
    paths = map(path.with_name, itertools.chain([path.name], names))
    return next(path for path in paths if not os.path.lexists(path))


def _write(path, chunks):
    """Writes a file; returns its SHA-256."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for chunk in chunks:
            file.write(chunk)
            digest.update(chunk)
    return digest.hexdigest()


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
        raise ValueError(f"{path.name} was changed after it was written")
    return values


def _check_file(path):
    """Returns the size of an ordinary file."""
    try:
        found = path.lstat()
    except OSError:
        raise ValueError(f"{path.name} is missing") from None
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"{path.name} is not an ordinary file")
    return found.st_size
