"""Prepares a data set, once, for all later runs.

rigl-prepare
rigl-prepare --dataset=cifar10 --archive=~/Downloads/cifar-10-binary.tar.gz
rigl-prepare --dataset=cifar10

Without --archive, TFDS downloads it, if it can. Archives whose checksums TFDS
knows are compared with them.
"""

import errno
import pathlib
import tarfile
import urllib.error
import urllib.request

from absl import flags

from rigl_tf import tables
from rigl_tf.bin import command
from rigl_tf.datasets import prepared

_DATASET = flags.DEFINE_string(
    "dataset", None, "Which one; without it, all are listed."
)
_ARCHIVE = flags.DEFINE_multi_string(
    "archive", [], "Path of a file that was downloaded. May be repeated."
)
_DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Where to; by default, where TFDS keeps its data."
)


def main():
    """Lists or prepares data sets as the flags say."""
    if _DATASET.value is None:
        print(listed(_DATA_DIR.value))
        return
    if _DATASET.value not in prepared.SOURCES:
        raise ValueError(
            f"--dataset must be one of {', '.join(prepared.SOURCES)}. "
            f"Received: --dataset={_DATASET.value}."
        )
    place = prepare(_DATASET.value, _ARCHIVE.value, _DATA_DIR.value)
    print(f"{_DATASET.value} is prepared in {place}.")


def listed(data_dir=None):
    """A table of the data sets and of what is prepared."""
    rows = [("data set", "prepared", "archives", "from")]
    for name, source in prepared.SOURCES.items():
        there = prepared.is_prepared(name, data_dir)
        files = ", ".join(source.files)
        rows.append((name, "yes" if there else "no", files, source.url))
    return tables.markdown(rows)


def prepare(name, archives=(), data_dir=None):
    """Prepares a data set unless it is.

    Args:
        name: String, of `prepared.SOURCES`.
        archives: List of paths of the files that it is made of; without any,
            they are downloaded.
        data_dir: Where TFDS keeps prepared data, or `None` for its default.

    Returns:
        Path of the prepared data.

    Raises:
        ValueError: If other files are needed, or one is not what it should
            be: cut off, with links or more bytes than it can hold in it, or
            simply another. Nothing outside of the archives is read.
        FileNotFoundError: If a file is not there.
    """
    source = prepared.SOURCES[name]
    builder = prepared.make_builder(name, prepared.directory(data_dir))
    manual = None
    paths = [pathlib.Path(path).expanduser() for path in archives]
    if paths:
        if sorted(path.name for path in paths) != sorted(source.files):
            raise ValueError(
                f"{name} is made of {' and '.join(source.files)}. Received: "
                f"--archive={', '.join(map(str, paths))}."
            )
        missing = [path for path in paths if not path.is_file()]
        if missing:
            raise FileNotFoundError(f"There is no file {missing[0]}.")
        if len({path.parent for path in paths}) > 1:
            raise ValueError("Put the archives into one directory.")
        manual = paths[0].parent
    elif source.by_hand:
        raise ValueError(
            f"Download {' and '.join(source.files)} from {source.url} and "
            f"say where: --archive=path/to/{source.files[0]}."
        )
    else:
        _check_network(source)
    import tensorflow_datasets as tfds

    try:
        for path in paths:
            if path.suffix == ".tar":
                with tarfile.open(path) as archive:
                    _check_tar(archive)
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(manual_dir=manual)
        )
    except (
        tfds.core.download.download_manager.NonMatchingChecksumError
    ) as error:
        raise ValueError(
            f"{' '.join(source.files)} is not the official archive, or not "
            f"all of it: its checksum is another. Download it again. {error}"
        ) from error
    except Exception as error:  # each kind of archive has its own
        number = getattr(error, "errno", None)
        if number not in (None, errno.EINVAL):  # for places not in the file
            raise  # such as a full disk
        raise ValueError(
            f"{name} cannot be prepared from "
            f"{', '.join(map(str, paths)) or source.url}: "
            f"{type(error).__name__}: {error}."
        ) from error
    return builder.data_path


def _check_tar(archive):
    """Raises for links and for files that are larger than what they hold."""
    for member in archive:
        if not member.isreg() or member.issparse():
            raise ValueError(f"{member.name!r} is no ordinary file")
        if member.name.endswith(".tar"):
            with tarfile.open(fileobj=archive.extractfile(member)) as inner:
                _check_tar(inner)


def _check_network(source):
    """Raises a ConnectionError at once; TFDS would try for minutes."""
    try:
        urllib.request.urlopen(source.url, timeout=10).close()
    except urllib.error.HTTPError:
        pass  # somebody has answered
    except OSError as error:
        raise ConnectionError(
            f"{source.url} does not answer: {error}. Download "
            f"{' and '.join(source.files)} elsewhere and say where: "
            f"--archive=path/to/{source.files[0]}."
        ) from error


def run():
    """Entry point of `rigl-prepare`."""
    command.run(main)


if __name__ == "__main__":
    run()
