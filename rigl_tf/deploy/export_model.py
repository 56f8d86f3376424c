"""Exports a model after checking that the file computes the same outputs."""

import contextlib
import dataclasses
import io
import os
import pathlib
import tempfile
import zlib
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from rigl_tf.analysis import equivalence
from rigl_tf.analysis import signatures
from rigl_tf.deploy import unwrapping
from rigl_tf.deploy.formats import FORMATS
from rigl_tf.modeling.convert import densified
from rigl_tf.modeling.sparse_wrapper import sparse_layers
from rigl_tf.typing import PathLike
from rigl_tf.utils import extras
from rigl_tf.utils import text_tables
from rigl_tf.utils import validation

TOLERANCE = 1e-4
"""Largest difference of an output, relative to the largest output."""


@dataclasses.dataclass(frozen=True)
class ExportResult:
    """An exported file: its size, speed and difference from the model.

    Attributes:
        format: String, a key of `FORMATS`.
        path: Path of the file or directory.
        num_bytes: Integer, size of the file or directory.
        num_bytes_compressed: Integer, size after compression with zlib.
        num_bytes_dense: Integer, size of the same model with its zeros, in
            this format or, for `"compact"`, as a Keras file.
        sparsity: Float, the fraction of zeros in the stored kernels.
        largest_difference: Float, the largest difference between an output of
            the file and the same output of the exported model, relative to
            the largest output.
        milliseconds: Float, the median latency of one example, or of one
            batch if the model fixes the batch size.
        milliseconds_dense: Float, the same for the file with zeros. The two
            are measured in turns.
        inputs: Tuple of strings, names of the inputs in the order of the file.
        outputs: Tuple of strings, names of the outputs in the order of the
            file. LiteRT changes the order: select its outputs by name.
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
    inputs: tuple
    outputs: tuple


def export(
    model: keras.Model,
    path: PathLike,
    format: str = "keras",
    samples: Any = None,
    overwrite: bool = False,
) -> ExportResult:
    """Writes a model without masks and wrappers, and checks its outputs.

    The outputs of the file are compared by name with the outputs of `model`.
    The names are the keys of a dictionary, or `"output_0"`, `"output_1"` and
    so on. Inputs have the names of the model's `Input`s, or the keys with
    which a subclassed model is called. Characters that a format does not
    support become `_`.

    Args:
        model: `SparseModel`, a model with `Sparse` layers, or a plain model. A
            subclassed model can be `"saved_model"`, `"onnx"` and `"litert"`.
        path: String or path to write to. The suffix of the format is added
            if it is missing.
        format: String. `"keras"`: a Keras file. `"saved_model"`: a directory
            for TensorFlow Serving. `"onnx"`: an ONNX file. `"litert"`: a
            file for phones, without zeros. `"compact"`: the smallest file;
            read it with `rigl_tf.deploy.read_compact`.
        samples: Array of examples, or a list or dictionary of arrays for
            several inputs, on which outputs are compared. By default, random
            examples. Strings and open shapes have no default. If the model
            fixes the batch size, the first batch is used.
        overwrite: Boolean, whether to replace `path` if it exists. It is
            replaced after the new file is checked. If it is a link, the link
            is replaced.

    Returns:
        `ExportResult`.

    Raises:
        FileExistsError: If `path` exists and `overwrite` is `False`, or
            `path` is a directory that is not a SavedModel.
        ImportError: If the format needs a package that is not installed.
        TypeError: If the model is subclassed and the format does not support
            that.
        ValueError: If the format is unknown, samples are missing, or the file
            does not compute the outputs of the model. No file is left
            behind.
    """
    path = pathlib.Path(path)
    _check_format(format, path)
    spec = FORMATS[format]
    _check_model(model, format)
    if not path.name.endswith(spec.suffix):
        path = path.with_name(path.name + spec.suffix)
    _check_free(path, overwrite)
    # First, because the models made below may share the weights.
    network = unwrapping.network(model)
    arrays = equivalence.samples(network, samples)
    expected = equivalence.outputs(
        model, arrays, signatures.model_signature(network, samples)
    )
    with densified(model) as plain:
        signature = signatures.model_signature(plain, samples)
        inputs = dict(zip(signature.names, arrays, strict=True))
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=".export-", dir=path.parent
        ) as directory:
            written = pathlib.Path(directory) / f"model{spec.suffix}"
            run = _write(spec, format, plain, written, signature)
            with _running(format, spec, plain, written):
                received = [run(inputs) for _ in expected]
            difference = equivalence.difference_by_name(expected, received)
            if not difference <= TOLERANCE:
                raise ValueError(
                    f"The model in format {format!r} has other outputs: they "
                    f"differ by {difference:.1e} of the largest output. "
                    f"Nothing was written. {spec.advice(plain, written)}"
                )
            run_dense, size = run, _size(written)
            if spec.dense is not None:
                dense = pathlib.Path(directory) / f"dense{spec.dense.suffix}"
                run_dense = _write(spec.dense, format, plain, dense, signature)
                size = _size(dense)
            batch = signature.batch or 1
            times = equivalence.latency(
                [run, run_dense],
                {name: array[:batch] for name, array in inputs.items()},
            )
            _replace(path, written, pathlib.Path(directory) / "before")
        return ExportResult(
            format=format,
            path=path,
            num_bytes=_size(path),
            num_bytes_compressed=_size(path, zlib.compress),
            num_bytes_dense=size,
            sparsity=_sparsity(plain),
            largest_difference=difference,
            milliseconds=times[0],
            milliseconds_dense=times[1],
            inputs=tuple(run.inputs),
            outputs=tuple(received[0]),
        )


def table(exported: Iterable[ExportResult]) -> str:
    """Returns a Markdown table that compares exported files.

    Args:
        exported: List of `ExportResult`.

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
    return text_tables.markdown(rows)


def _check_format(format, path):
    """Raises for an unknown format, or a path with the suffix of another."""
    suffix = path.suffix if format in FORMATS else f".{format}".lower()
    owners = {spec.suffix: name for name, spec in FORMATS.items()}
    owner = owners.get(suffix, format) if suffix else format
    if owner != format:
        raise ValueError(
            f"{suffix!r} is the suffix of the format {owner!r}. Pass "
            f"`format={owner!r}`, or another path. "
            f"Received: path={str(path)!r}, format={format!r}."
        )
    validation.check_choice("format", format, FORMATS)


def _check_free(path, overwrite):
    """Raises if a file or directory may not be replaced."""
    if not os.path.lexists(path):
        return
    if not overwrite:
        raise FileExistsError(
            f"{path} already exists. Pass `overwrite=True` (--overwrite), or "
            "write to another path."
        )
    if path.is_dir() and not (path / "saved_model.pb").is_file():
        raise FileExistsError(
            f"{path} is a directory that is not a SavedModel. Write to another "
            "path."
        )


def _replace(path, written, before):
    """Replaces `path` by `written`; restores `path` if that fails.

    A directory is moved to `before` first, and so is whatever a directory
    replaces.
    """
    is_directory = path.is_dir() and not path.is_symlink()
    if os.path.lexists(path) and (is_directory or written.is_dir()):
        os.rename(path, before)
    try:
        os.replace(written, path)
    except BaseException:
        if os.path.lexists(before):
            os.rename(before, path)
        raise


def _check_model(model, format):
    """Raises for a subclassed model if the format does not support it."""
    if FORMATS[format].has_signature or not unwrapping.is_subclassed(model):
        return
    signed = [name for name in FORMATS if FORMATS[name].has_signature]
    plain = "rigl_tf.densify(model)" if sparse_layers(model) else "model"
    raise TypeError(
        f"{model.name!r} is a subclassed model. A file of format {format!r} "
        "cannot restore it without its class. Received: "
        f"format={format!r}. Use one of {', '.join(map(repr, signed))}, "
        f"or write it with Keras's own `{plain}.export(path)`, or "
        f"`{plain}.save(path)` if its class is registered."
    )


def _write(spec, format, model, path, signature):
    """Writes a model; returns a `Runner` of the file."""
    arguments = [signature] if spec.has_signature else []
    try:
        # Keras prints the endpoints, even with `verbose=False`.
        with (
            contextlib.redirect_stdout(io.StringIO()),
            equivalence.from_initial_states(model),
        ):
            spec.write(model, path, *arguments)
        with _running(format, spec, model, path):
            run = spec.load(path)
    except ImportError as error:
        raise extras.MissingExtra(
            f"The format {format!r} needs a package that is not installed "
            f"({error}): pip install 'rigl-tf[export]'."
        ) from error
    if not spec.has_signature:
        # A class may rename the inputs of each of its models.
        return run.with_inputs(signature.names)
    unknown = [name for name in run.inputs if name not in signature.names]
    if unknown:
        raise ValueError(
            f"The file in format {format!r} has inputs that the model does "
            f"not have: {', '.join(unknown)}. Nothing was written. "
            f"{spec.advice(model, path)}"
        )
    return run


@contextlib.contextmanager
def _running(format, spec, model, path):
    """Adds the format and advice to the errors of another runtime."""
    try:
        yield
    except (ImportError, ValueError):
        raise
    except Exception as error:  # each runtime has its own exceptions
        text = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"The file in format {format!r} cannot be run: "
            f"{type(error).__name__}: {text} Nothing was written. "
            f"{spec.advice(model, path)}"
        ) from error


def _size(path, function: Callable[[bytes], bytes] = bytes):
    """Returns the size of a file or directory in bytes."""
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    return sum(
        len(function(file.read_bytes())) for file in files if file.is_file()
    )


def _sparsity(model):
    kernels = [np.asarray(v) for v in model.weights if len(v.shape) > 1]
    size = sum(kernel.size for kernel in kernels)
    active = sum(int(np.count_nonzero(kernel)) for kernel in kernels)
    return 1 - active / max(size, 1)
