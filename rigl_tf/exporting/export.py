"""Writes a model for others to use, once it is shown to compute the same."""

import contextlib
import dataclasses
import io
import pathlib
import shutil
import tempfile
import zlib

import numpy as np

from rigl_tf import checks
from rigl_tf import tables
from rigl_tf.exporting import measuring
from rigl_tf.exporting.formats import FORMATS
from rigl_tf.sparsify import densify

TOLERANCE = 1e-4
"""The most that an output may differ, relative to the largest output."""


@dataclasses.dataclass(frozen=True)
class Exported:
    """What was written, and what it is worth.

    Attributes:
        format: String, of `FORMATS`.
        path: Path of the file or directory.
        num_bytes: Integer, its size.
        num_bytes_compressed: Integer, the same after zlib.
        num_bytes_dense: Integer, what the same model takes with its zeros, in
            this format or, for `"compact"`, as a Keras file.
        sparsity: Float, the fraction of zeros in its kernels, as stored.
        largest_difference: Float, the most by which an output differs from
            that of the Keras model, relative to the largest output.
        milliseconds: Float, for one example, the median.
        milliseconds_dense: Float, the same of the file with its zeros, both
            measured in turns.
    """

    format: str
    path: pathlib.Path
    num_bytes: int
    num_bytes_compressed: int
    num_bytes_dense: int
    sparsity: float
    largest_difference: float
    milliseconds: float
    milliseconds_dense: float


def export(model, path, format="keras", samples=None):
    """Writes a model without masks and wrappers, if it computes the same.

    Args:
        model: `SparseModel`, a model with `Sparse` layers, or a plain
            Sequential or functional one.
        path: String or path to write to. The suffix of the format is added
            if it is missing. Nothing may be there yet.
        format: String. `"keras"`: a Keras file. `"saved_model"`: a directory
            for TensorFlow Serving. `"onnx"`. `"litert"`: a file for phones,
            zeros not stored. `"compact"`: the smallest; read it with
            `rigl_tf.exporting.read_compact`.
        samples: Array of examples, or a list of them for several inputs, to
            compare outputs with. By default, random ones.

    Returns:
        `Exported`.

    Raises:
        FileExistsError: If there is something at `path`.
        ImportError: If the format needs a package that is not installed.
        ValueError: If the format is unknown, or what was written does not
            compute what the model does. Nothing is left behind.
    """
    checks.check_choice("format", format, FORMATS)
    kind = FORMATS[format]
    path = pathlib.Path(path)
    if not path.name.endswith(kind.suffix):
        path = path.with_name(path.name + kind.suffix)
    if path.exists():
        raise FileExistsError(
            f"There is something at {path} already. Remove it, or write to "
            "another place."
        )
    plain = densify(model)
    inputs = measuring.samples(plain, samples)
    expected = measuring.runner(plain)(inputs)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=".export-", dir=path.parent
    ) as directory:
        written = pathlib.Path(directory) / f"model{kind.suffix}"
        run = _written(kind, format, plain, written)
        difference = measuring.difference(expected, run(inputs))
        if not difference <= TOLERANCE:
            raise ValueError(
                f"As {format!r}, the model computes something else: outputs "
                f"differ by {difference:.1e} of the largest. Nothing was "
                f"written. {kind.advice(plain, written)}"
            )
        beside, size = run, _size(written)
        if kind.dense is not None:
            other = pathlib.Path(directory) / f"dense{kind.dense.suffix}"
            beside = _written(kind.dense, format, plain, other)
            size = _size(other)
        times = measuring.latency(
            [run, beside], [array[:1] for array in inputs]
        )
        shutil.move(written, path)
    return Exported(
        format=format,
        path=path,
        num_bytes=_size(path),
        num_bytes_compressed=_size(path, zlib.compress),
        num_bytes_dense=size,
        sparsity=_sparsity(plain),
        largest_difference=difference,
        milliseconds=times[0],
        milliseconds_dense=times[1],
    )


def table(exported):
    """Compares what was written, as a Markdown table.

    Args:
        exported: List of `Exported`.

    Returns:
        String.
    """
    rows = [
        [
            "format",
            "bytes",
            "compressed",
            "of dense",
            "sparsity",
            "difference",
            "ms",
            "dense, ms",
        ]
    ]
    for each in exported:
        rows.append(
            [
                each.format,
                f"{each.num_bytes:,}",
                f"{each.num_bytes_compressed:,}",
                f"{each.num_bytes / each.num_bytes_dense:.3f}",
                f"{each.sparsity:.4f}",
                f"{each.largest_difference:.0e}",
                f"{each.milliseconds:.3f}",
                f"{each.milliseconds_dense:.3f}",
            ]
        )
    return tables.markdown(rows)


def _written(kind, format, model, path):
    """Writes a model; returns a function that runs what was written."""
    try:
        # Keras prints what is in there, even if told not to.
        with contextlib.redirect_stdout(io.StringIO()):
            kind.write(model, path)
        return kind.opened(path)
    except ImportError as error:
        raise ImportError(
            f"The format {format!r} needs a package that is not installed "
            f"({error}): pip install 'rigl_tf[export]'."
        ) from error


def _size(path, function=bytes):
    """Bytes of a file, or of all files of a directory."""
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    return sum(
        len(function(file.read_bytes())) for file in files if file.is_file()
    )


def _sparsity(model):
    kernels = [np.asarray(v) for v in model.weights if len(v.shape) > 1]
    size = sum(kernel.size for kernel in kernels)
    return 1 - sum(map(np.count_nonzero, kernels)) / max(size, 1)
