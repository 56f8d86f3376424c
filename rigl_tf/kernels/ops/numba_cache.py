"""Keeps the code that numba compiles on disk, for later processes."""

import contextlib
import functools
import hashlib
import os
import pathlib
import tempfile

import filelock
import numba

_SECONDS = 120  # to wait for another process that compiles


def njit(function, **options):
    """Compiles a function like `numba.njit`; the code is kept on disk.

    If a folder cannot be written or a file cannot be read, the function is
    compiled in memory.

    Args:
        function: Function of arrays. If it is a closure, then over numbers
            only: numba compares the values to find the code on disk.
        **options: Of `numba.njit`.
    """
    plain = numba.njit(**options)(function)
    folder = _folder()
    if folder is None:
        return plain
    with _cache_dir(folder):
        cached = numba.njit(cache=True, **options)(function)
    lock = filelock.FileLock(folder / "lock", timeout=_SECONDS)
    load_or_compile = cached.compile

    def compile_once(signature):
        try:
            # numba numbers its files, and two processes at once would give
            # two functions the same number.
            with lock:
                return load_or_compile(signature)
        except Exception:  # a file can be damaged in any way
            plain.compile(signature)
            cached.add_overload(plain.overloads[tuple(signature)])
            return plain.overloads[tuple(signature)].entry_point

    cached.compile = compile_once
    return cached


@functools.cache
def _folder():
    """Returns the folder of this version's code, or `None` without one."""
    try:
        parent = numba.config.CACHE_DIR or _user_folder()
        folder = pathlib.Path(parent) / f"rigl_tf-{_version()}"
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except (OSError, RuntimeError):  # not writable, or no home
        return None
    return folder


def _user_folder():
    folder = os.environ.get("XDG_CACHE_HOME")
    return folder or pathlib.Path.home() / ".cache"


def _version():
    """Returns a hash of numba's version and of all code that it compiles.

    numba looks for changes in the file of a function only, and not in the
    files of functions that the function calls.
    """
    version = hashlib.sha256(numba.__version__.encode())
    for path in sorted(pathlib.Path(__file__).parent.glob("*.py")):
        version.update(path.read_bytes())
    return version.hexdigest()[:16]


@contextlib.contextmanager
def _cache_dir(folder):
    """Makes numba keep functions in a folder that are defined within."""
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(folder)
    try:
        yield
    finally:
        numba.config.CACHE_DIR = before
