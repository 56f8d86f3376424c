"""Files from elsewhere are read with care, and ours are written with care."""

import json
import os
import pathlib
import stat
import urllib.parse

from rigl_tf.utils import durable

MOST_BYTES = 2**26
"""Largest JSON file that is read. The largest records have a megabyte."""


def name(text):
    """Returns a safe file name for any text, different for each text.

    Characters other than letters, digits and `_-~.` are percent-encoded, and
    so is a leading dot.

    Args:
        text: String.

    Returns:
        String without separators, not hidden and not a parent directory.

    >>> name("digits_mlp"), name("../x y")
    ('digits_mlp', '%2E.%2Fx%20y')
    """
    quoted = urllib.parse.quote(text, safe="", errors="surrogatepass")
    return f"%2E{quoted[1:]}" if quoted.startswith(".") else quoted


def folder(root, *names):
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
        if path.is_symlink():
            raise ValueError(
                f"{path} is a link, and nothing is written through one. "
                "Remove it."
            )
        path.mkdir(exist_ok=True)
    return path


def write(path, text):
    """Writes a text file, all of it or nothing; see `durable.replacing`."""
    with durable.replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def read_json(path, most_bytes=MOST_BYTES):
    """Reads JSON from an ordinary file that is not too large.

    Raises:
        FileNotFoundError: If there is no file.
        ValueError: If it is something else, or holds something else.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):  # such as a pipe
        raise ValueError("it is no ordinary file")
    with open(path, "rb") as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise ValueError(f"it has more than {most_bytes:,} bytes")
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
