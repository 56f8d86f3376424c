"""One process at a time in a directory."""

import contextlib
import errno
import json
import os
import pathlib
import socket
import stat
import warnings
from typing import Self

import filelock

from rigl_tf.typing import PathLike

NAME = ".lock"

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


class Lock:
    """Keeps other processes out of a directory while a `with` block runs.

    The operating system releases the lock when the process ends, however it
    ends. Child processes do not inherit it. A file system without locks is
    warned of, and then nobody is kept out.

    Args:
        directory: Path; created if it does not exist, and then removed
            afterwards if it is empty.

    Raises:
        FileExistsError: On entry, if another process is in the directory, or
            something that is not a file has the name of the lock.
    """

    def __init__(self, directory: PathLike) -> None:
        self._path = pathlib.Path(directory) / NAME
        self._lock = filelock.FileLock(
            self._path, thread_local=False, on_acquired=_sign
        )

    def __enter__(self) -> Self:
        directory = self._path.parent
        self._is_new = not directory.exists()
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise FileExistsError(
                f"{directory} must be a directory, and {error.filename} is "
                "none. Choose another directory."
            ) from None
        self._check_file()
        try:
            self._lock.acquire(blocking=False)
        except filelock.Timeout:
            raise FileExistsError(
                f"{directory} is in use by {self._holder()}. Wait for it, or "
                "choose another directory."
            ) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            warnings.warn(
                f"The file system has no locks ({error.strerror}): nothing "
                "keeps a second process from writing to the same directory.",
                stacklevel=2,
            )
        return self

    def __exit__(self, *error: object) -> None:
        # On Windows, a file that is open stays until it is released.
        with contextlib.suppress(OSError):
            self._path.unlink()
        self._lock.release()
        if self._is_new:
            with contextlib.suppress(OSError):  # not empty, or gone
                self._path.parent.rmdir()

    def _check_file(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            mode = self._path.lstat().st_mode
            if not stat.S_ISREG(mode):
                raise FileExistsError(
                    f"{self._path} must be a file, which locks the directory, "
                    f"and is {_words(mode)}. Remove it, or choose another "
                    "directory."
                )

    def _holder(self) -> str:
        try:
            holder = json.loads(self._path.read_text(encoding="utf-8"))
            return f"process {holder['pid']} on {holder['host']}"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"


def _sign(file: int) -> None:
    """Writes into a locked file who holds it."""
    holder = {"pid": os.getpid(), "host": socket.gethostname()}
    os.ftruncate(file, 0)
    os.write(file, json.dumps(holder).encode())


def _words(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a link"
    return "a directory" if stat.S_ISDIR(mode) else "a device or a pipe"
