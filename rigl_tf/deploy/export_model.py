"""Writes a model for others to use, once it is shown to compute the same."""

import contextlib
import dataclasses
import io
import pathlib
import shutil
import tempfile
import zlib

import numpy as np

from rigl_tf.analysis import equivalence
from rigl_tf.analysis import signatures
from rigl_tf.deploy import unwrapping
from rigl_tf.deploy.formats import FORMATS
from rigl_tf.modeling.convert import densified
from rigl_tf.modeling.sparse_wrapper import sparse_layers
from rigl_tf.utils import text_tables
from rigl_tf.utils import validation

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
            that of the model that was passed in, relative to the largest
            output.
        milliseconds: Float, for one example, or for one batch if the model
            fixes its size, the median.
        milliseconds_dense: Float, the same of the file with its zeros, both
            measured in turns.
        inputs: Tuple of strings, the names of the inputs in the order of the
            file.
        outputs: Tuple of strings, the names of the outputs in the order of
            the file. LiteRT has an order of its own: take its outputs by
            name.
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


def export(model, path, format="keras", samples=None):
    """Writes a model without masks and wrappers, if it computes the same.

    Outputs of the file are compared with outputs of `model` itself, each with
    the one of the same name: the keys of a dictionary, or `"output_0"`,
    `"output_1"` and so on. Inputs have the names of the model's `Input`s, or
    the keys with which a subclassed model is called. Characters that a format
    does not take become `_`.

    Args:
        model: `SparseModel`, a model with `Sparse` layers, or a plain one. A
            subclassed model can be `"saved_model"`, `"onnx"` and `"litert"`.
        path: String or path to write to. The suffix of the format is added
            if it is missing. Nothing may be there yet.
        format: String. `"keras"`: a Keras file. `"saved_model"`: a directory
            for TensorFlow Serving. `"onnx"`. `"litert"`: a file for phones,
            zeros not stored. `"compact"`: the smallest; read it with
            `rigl_tf.deploy.read_compact`.
        samples: Array of examples, or a list or dictionary of arrays for
            several inputs, to compare outputs with. By default, random ones.
            Strings and open shapes have no default. If the model fixes the
            batch size, the first batch is taken.

    Returns:
        `Exported`.

    Raises:
        FileExistsError: If there is something at `path`.
        ImportError: If the format needs a package that is not installed.
        TypeError: If the model is a subclassed one, which the format does not
            take.
        ValueError: If the format is unknown, samples are missing, or what was
            written does not compute what the model does. Nothing is left
            behind.
    """
    validation.check_choice("format", format, FORMATS)
    kind = FORMATS[format]
    _check_model(model, format)
    path = pathlib.Path(path)
    if not path.name.endswith(kind.suffix):
        path = path.with_name(path.name + kind.suffix)
    if path.exists():
        raise FileExistsError(
            f"There is something at {path} already. Remove it, or write to "
            "another place."
        )
    # Before anything is made of the model, which may share its weights.
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
            written = pathlib.Path(directory) / f"model{kind.suffix}"
            run = _written(kind, format, plain, written, signature)
            with _running(format, kind, plain, written):
                received = [run(inputs) for _ in expected]
            difference = equivalence.difference_by_name(expected, received)
            if not difference <= TOLERANCE:
                raise ValueError(
                    f"As {format!r}, the model computes something else: "
                    f"outputs differ by {difference:.1e} of the largest. "
                    f"Nothing was written. {kind.advice(plain, written)}"
                )
            beside, size = run, _size(written)
            if kind.dense is not None:
                other = pathlib.Path(directory) / f"dense{kind.dense.suffix}"
                beside = _written(kind.dense, format, plain, other, signature)
                size = _size(other)
            batch = signature.batch or 1
            times = equivalence.latency(
                [run, beside],
                {name: array[:batch] for name, array in inputs.items()},
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
            inputs=tuple(run.inputs),
            outputs=tuple(received[0]),
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
    return text_tables.markdown(rows)


def _check_model(model, format):
    """Raises for a subclassed model that a format does not take."""
    if FORMATS[format].has_signature or not unwrapping.is_subclassed(model):
        return
    signed = [name for name in FORMATS if FORMATS[name].has_signature]
    plain = "rigl_tf.densify(model)" if sparse_layers(model) else "model"
    raise TypeError(
        f"{model.name!r} is a subclassed model, which a file of format "
        f"{format!r} cannot make again without its class. Received: "
        f"format={format!r}. Take one of {', '.join(map(repr, signed))}, "
        f"or write it with Keras's own `{plain}.export(path)`, or "
        f"`{plain}.save(path)` if its class is registered."
    )


def _written(kind, format, model, path, signature):
    """Writes a model; returns a `Runner` of what was written."""
    arguments = [signature] if kind.has_signature else []
    try:
        # Keras prints what is in there, even if told not to.
        with (
            contextlib.redirect_stdout(io.StringIO()),
            equivalence.from_rest(model),
        ):
            kind.write(model, path, *arguments)
        with _running(format, kind, model, path):
            run = kind.opened(path)
    except ImportError as error:
        raise ImportError(
            f"The format {format!r} needs a package that is not installed "
            f"({error}): pip install 'rigl_tf[export]'."
        ) from error
    if not kind.has_signature:
        # A class may give the inputs of each of its models new names.
        return run.with_inputs(signature.names)
    more = [name for name in run.inputs if name not in signature.names]
    if more:
        raise ValueError(
            f"As {format!r}, the model takes inputs that it does not have: "
            f"{', '.join(more)}. Nothing was written. "
            f"{kind.advice(model, path)}"
        )
    return run


@contextlib.contextmanager
def _running(format, kind, model, path):
    """Adds the format and advice to errors of another runtime."""
    try:
        yield
    except (ImportError, ValueError):
        raise
    except Exception as error:  # each runtime has its own classes
        text = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"As {format!r}, the model cannot be run: "
            f"{type(error).__name__}: {text} Nothing was written. "
            f"{kind.advice(model, path)}"
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
