"""One process at a time in a directory."""

import contextlib
import fcntl
import json
import os
import pathlib
import socket

NAME = ".lock"


class Lock:
    """Keeps other processes out of a directory while a `with` block runs.

    The operating system lets go of it when the process ends, however it ends.

    Args:
        directory: Path; created if it is not there, and then removed
            afterwards if it is empty.

    Raises:
        FileExistsError: On entry, if another process is in the directory.
    """

    def __init__(self, directory):
        self._path = pathlib.Path(directory) / NAME
        self._file = None

    def __enter__(self):
        self._is_new = not self._path.parent.exists()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        while not self._is_current():
            # Somebody who left has removed the file in the meantime.
            self._file = self._path.open("a+")
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._file.close()
                raise FileExistsError(
                    f"{self._path.parent} is in use by {self._holder()}. Wait "
                    "for it, or choose another directory."
                ) from None
        self._file.truncate(0)
        json.dump(
            {"pid": os.getpid(), "host": socket.gethostname()}, self._file
        )
        self._file.flush()
        return self

    def __exit__(self, *error):
        self._path.unlink(missing_ok=True)
        self._file.close()
        if self._is_new:
            with contextlib.suppress(OSError):  # not empty, or gone
                self._path.parent.rmdir()

    def _is_current(self):
        try:
            here, there = os.fstat(self._file.fileno()), self._path.stat()
        except (AttributeError, FileNotFoundError):
            return False
        return os.path.samestat(here, there)

    def _holder(self):
        try:
            holder = json.loads(self._path.read_text())
            return f"process {holder['pid']} on {holder['host']}"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"
