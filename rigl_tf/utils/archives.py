"""Zip files, which `.keras` files are, without room for zeros."""

import os
import shutil
import zipfile

from rigl_tf.typing import PathLike
from rigl_tf.utils import durable

_LEVEL = 1  # of 9; higher levels take several times as long for 20 % less


def compress(path: PathLike) -> None:
    """Compresses the members of a zip file, in place.

    Keras stores members as they are, and reads compressed ones.

    Args:
        path: Path of a zip file. A link is followed.
    """
    with (
        durable.replacing(os.path.realpath(path)) as partial,
        zipfile.ZipFile(path) as stored,
        zipfile.ZipFile(
            partial, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL
        ) as compressed,
    ):
        for member in stored.infolist():
            with (
                stored.open(member) as source,
                compressed.open(
                    member.filename,
                    "w",
                    force_zip64=member.file_size >= 2**31,
                ) as target,
            ):
                shutil.copyfileobj(source, target, 2**20)
