"""Files from elsewhere are read with care, and ours are written with care."""

import hashlib
import json
import os
import pathlib
import stat
import urllib.parse
from typing import Any

from rigl_tf.typing import PathLike
from rigl_tf.utils import durable

MOST_BYTES = 2**26
"""Largest text file that is read. The largest records have a megabyte."""
_LONGEST = 120  # characters; file systems allow 255 with all suffixes


def name(text: str) -> str:
    """Returns a safe file name for any text, different for each text.

    Characters other than letters, digits and `_-~.` are percent-encoded, and
    so is a leading dot. The end of a long text is replaced by a digest.

    Args:
        text: String.

    Returns:
        String without separators, not hidden, not a parent directory, and no
        longer than file systems allow.

    >>> name("digits_mlp"), name("../x y")
    ('digits_mlp', '%2E.%2Fx%20y')
    """
    quoted = urllib.parse.quote(text, safe="", errors="surrogatepass")
    if len(quoted) > _LONGEST:
        digest = hashlib.sha256(quoted.encode()).hexdigest()
        quoted = f"{quoted[:_LONGEST]}%-{digest[:16]}"
    return f"%2E{quoted[1:]}" if quoted.startswith(".") else quoted


def folder(root: PathLike, *names: str) -> pathlib.Path:
    """Makes a directory below another one and follows no links below it.

    Args:
        root: Path of a directory, which may be a link.
        *names: Strings, one for each directory on the way.

    Returns:
        Path.

    Raises:
        ValueError: If one on the way is a link.
    """
    path = pathlib.Path(root)
    for each in names:
        path /= each
        refuse_link(path)
        path.mkdir(exist_ok=True)
    return path


def refuse_link(path: PathLike) -> None:
    """Raises a ValueError if there is a link at a path."""
    if pathlib.Path(path).is_symlink():
        raise ValueError(
            f"{path} is a link, and nothing is written through one. Remove it."
        )


def write(path: PathLike, text: str) -> None:
    """Writes a text file, all of it or nothing; see `durable.replacing`."""
    with durable.replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def size(path: PathLike) -> int:
    """Returns the size of an ordinary file in bytes.

    Raises:
        FileNotFoundError: If there is no file.
        ValueError: If it is something else, such as a pipe, which may never
            end.
    """
    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"{path} is not an ordinary file")
    return found.st_size


def read(path: PathLike) -> bytes:
    """Reads an ordinary file that is not too large.

    Returns:
        Bytes.

    Raises:
        FileNotFoundError: If there is no file.
        ValueError: If it is something else.
    """
    if size(path) > MOST_BYTES:
        raise ValueError(f"{path} has more than {MOST_BYTES:,} bytes")
    return pathlib.Path(path).read_bytes()


def read_json(path: PathLike) -> Any:
    """Reads JSON from an ordinary file that is not too large.

    Raises:
        FileNotFoundError: If there is no file.
        ValueError: If it is something else, or holds something else.
    """
    try:
        return json.loads(read(path))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
