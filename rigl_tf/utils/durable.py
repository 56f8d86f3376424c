"""Files and directories that are on the disk whole, or not at all."""

import contextlib
import errno
import glob
import os
import pathlib
import shutil
import time
import uuid
from collections.abc import Iterator

from rigl_tf.typing import PathLike

PARTIAL = ".partial-"
"""How the name begins of what is being written."""

_HOUR = 3600  # seconds; an older temporary file has no writer


@contextlib.contextmanager
def replacing(path: PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary path, and moves it to `path` after the block.

    After the block, the new file or directory survives a power cut. If the
    block or the disk fails, the old file does not change. A link at `path` is
    replaced and not followed. If several processes write, the last one wins.

    Args:
        path: Path of a file, or of a directory that does not exist, in a
            directory that does.

    Yields:
        Path in the same directory, with the same suffix.

    Raises:
        OSError: If it cannot be written.

    >>> from rigl_tf.utils import durable
    >>> with durable.replacing("notes.txt") as partial:
    ...     _ = partial.write_text("all of it")
    """
    path = pathlib.Path(path)
    partial = path.with_name(f"{PARTIAL}{uuid.uuid4().hex[:8]}-{path.name}")
    clear(path.parent, f"*-{glob.escape(path.name)}", age=_HOUR)
    try:
        yield partial
        sync(partial)
        os.replace(partial, path)
    finally:
        _remove(partial)
    _sync_names(path.parent)


def clear(directory: PathLike, names: str = "*", age: float = 0) -> None:
    """Removes temporary files of processes that were killed.

    Args:
        directory: Path of a directory that no other process writes to.
        names: String, a pattern of file names.
        age: Number, minimum age in seconds.
    """
    for path in pathlib.Path(directory).glob(f"{PARTIAL}{names}"):
        with contextlib.suppress(OSError):  # somebody else has removed it
            if time.time() - path.lstat().st_mtime >= age:
                _remove(path)


def sync(path: PathLike) -> None:
    """Writes a file, or a directory with all that is in it, to the disk.

    Links and pipes are left out.

    Raises:
        OSError: If the disk does not take it.
    """
    path = pathlib.Path(path)
    if path.is_symlink():
        return
    if path.is_dir():
        for child in sorted(path.iterdir()):
            sync(child)
        _sync_names(path)
    elif path.is_file():
        _fsync(path)


def _sync_names(directory: pathlib.Path) -> None:
    try:
        _fsync(directory)
    except OSError as error:
        # Some file systems cannot for directories.
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise


def _fsync(path: pathlib.Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: pathlib.Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
