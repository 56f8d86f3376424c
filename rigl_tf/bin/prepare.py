"""Prepares a data set once for all later runs.

Its help and flags are in `rigl_cli.prepare`.
"""

import errno
import pathlib
import tarfile
import urllib.error
import urllib.request

from rigl_tf.datasets import prepared
from rigl_tf.utils import text_tables


def main(flags):
    """Lists or prepares data sets as described by the flags."""
    if flags.dataset is None:
        if flags.archive:
            raise ValueError(
                "--archive needs --dataset, one of "
                f"{', '.join(prepared.SOURCES)}. "
                f"Received: --archive={', '.join(flags.archive)}."
            )
        print(dataset_table(flags.data_dir))
        return
    if flags.dataset not in prepared.SOURCES:
        raise ValueError(
            f"--dataset must be one of {', '.join(prepared.SOURCES)}. "
            f"Received: --dataset={flags.dataset}."
        )
    path = prepare_dataset(flags.dataset, flags.archive, flags.data_dir)
    print(f"{flags.dataset} is prepared in {path}.")


def dataset_table(data_dir=None):
    """Returns a table of the data sets and whether they are prepared."""
    rows = [("data set", "prepared", "archives", "from")]
    for name, source in prepared.SOURCES.items():
        status = "yes" if prepared.is_prepared(name, data_dir) else "no"
        rows.append((name, status, ", ".join(source.files), source.url))
    return text_tables.printed(rows)


def prepare_dataset(name, archives=(), data_dir=None):
    """Prepares a data set unless it is prepared already.

    Args:
        name: String, a key of `prepared.SOURCES`.
        archives: List of paths of the archives, or of one directory with all
            archives. If empty, the archives are downloaded. IDX files may be
            uncompressed.
        data_dir: Where TFDS keeps prepared data, or `None` for its default.

    Returns:
        Path of the prepared data.

    Raises:
        ValueError: If other archives are needed, or if an archive is
            truncated, contains links or files larger than their content, or
            is a different file. No file outside of the archives is read.
        FileNotFoundError: If an archive does not exist.
    """
    source = prepared.SOURCES[name]
    builder = prepared.make_builder(name, prepared.directory(data_dir))
    manual = None
    paths = _paths(source, archives)
    if paths:
        if sorted(_official_name(source, p) for p in paths) != sorted(
            source.files
        ):
            raise ValueError(
                f"{name} needs the archives {' and '.join(source.files)}. "
                f"Received: --archive={', '.join(map(str, paths))}."
            )
        missing = [path for path in paths if not path.is_file()]
        if missing:
            raise FileNotFoundError(
                f"The archive must exist. Received: --archive={missing[0]}. "
                f"Download {missing[0].name} from {source.url}."
            )
        if len({path.parent for path in paths}) > 1:
            raise ValueError(
                "All archives must be in one directory. Received: "
                f"--archive={', '.join(map(str, paths))}."
            )
        manual = paths[0].parent
        if source.is_idx:
            builder = _idx_builder(name, paths, data_dir)
    elif source.by_hand:
        raise ValueError(
            f"Download {' and '.join(source.files)} from {source.url} and "
            f"pass --archive=path/to/{source.files[0]}."
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
            f"{' '.join(source.files)} must be the complete official archive, "
            f"but its checksum differs. Download it again. {error}"
        ) from error
    except Exception as error:  # each archive format raises its own
        number = getattr(error, "errno", None)
        if number not in (None, errno.EINVAL):  # positions outside the file
            raise  # such as a full disk
        raise ValueError(
            f"{name} cannot be prepared from "
            f"{', '.join(map(str, paths)) or source.url}: "
            f"{type(error).__name__}: {error}."
        ) from error
    return builder.data_path


def _paths(source, archives):
    """Returns the paths of all archives, some of which may not exist."""
    paths = [pathlib.Path(path).expanduser() for path in archives]
    if len(paths) == 1 and paths[0].is_dir():
        paths = [paths[0] / file for file in source.files]
        if source.is_idx:
            plain = {path: path.with_suffix("") for path in paths}
            paths = [
                plain[p] if plain[p].is_file() and not p.is_file() else p
                for p in paths
            ]
    return paths


def _official_name(source, path):
    if source.is_idx and path.suffix != ".gz":
        return f"{path.name}.gz"
    return path.name


def _idx_builder(name, paths, data_dir):
    from rigl_tf.datasets import idx_builder  # imports TFDS, which is slow

    return idx_builder.make_builder(name, paths, prepared.directory(data_dir))


def _check_tar(archive):
    """Raises for links and for files larger than their content."""
    for member in archive:
        if not member.isreg() or member.issparse():
            raise ValueError(f"{member.name!r} is not a regular file")
        if member.name.endswith(".tar"):
            with tarfile.open(fileobj=archive.extractfile(member)) as inner:
                _check_tar(inner)


def _check_network(source):
    """Raises a ConnectionError at once; TFDS would retry for minutes."""
    try:
        urllib.request.urlopen(source.url, timeout=10).close()
    except urllib.error.HTTPError:
        pass  # a server has answered
    except OSError as error:
        raise ConnectionError(
            f"Cannot reach {source.url}: {error}. Download "
            f"{' and '.join(source.files)} manually and pass "
            f"--archive=path/to/{source.files[0]}."
        ) from error


if __name__ == "__main__":
    from rigl_cli.prepare import run

    run()
