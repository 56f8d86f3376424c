"""The export formats, each with functions to write and to load a file."""

import dataclasses
import re
import warnings
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from rigl_tf.analysis import equivalence
from rigl_tf.analysis import signatures
from rigl_tf.deploy import compact
from rigl_tf.deploy import litert
from rigl_tf.deploy import loading
from rigl_tf.deploy import onnx_ops
from rigl_tf.deploy import unwrapping
from rigl_tf.utils import archives
from rigl_tf.utils import durable


@dataclasses.dataclass(frozen=True)
class Format:
    """A format for plain Keras models.

    Attributes:
        suffix: String, suffix of the name of the file or directory.
        write: Function of a `keras.Model`, a path and, if `has_signature`, a
            `Signature`.
        load: Function from a path to a `Runner` of the file.
        dense: `Format` without sparsity, to compare with, or `None` if this
            format does not use sparsity.
        advice: Function from a model and a path to a string: what to do if
            the file has other outputs than the model.
        has_signature: Boolean, whether the file names its inputs and outputs
            and needs no Python class of the model. Then subclassed models can
            be written.
    """

    suffix: str
    write: Callable
    load: Callable
    dense: "Format | None" = None
    advice: Callable = lambda model, path: (
        litert.precision_advice(model) or "Use another format."
    )
    has_signature: bool = False


def _with_batch_size(model, signature):
    """Leaves the batch size open, as Keras does, unless a layer has states."""
    if equivalence.is_stateful(model):
        return signature
    return signature.with_open_batch()


def _write_keras_dense(model, path):
    with unwrapping.uncompiled(model), durable.replacing(path) as partial:
        model.save(partial)


def _write_keras(model, path):
    _write_keras_dense(model, path)
    archives.compress(path)


def _load_keras(path):
    return equivalence.runner(loading.read_keras(path))


def _write_saved_model(model, path, signature):
    model.export(
        str(path),
        format="tf_saved_model",
        verbose=False,
        input_signature=[_with_batch_size(model, signature).specs],
    )


def _load_saved_model(path):
    loaded = tf.saved_model.load(str(path))
    # In the order of the model; the signature sorts them by name.
    called = loaded.serve.concrete_functions[0].structured_input_signature
    specs = tf.nest.flatten(called)

    def run(inputs):
        # `loaded` is kept: its variables are deleted together with it.
        outputs = loaded.signatures["serving_default"](
            **{
                spec.name: tf.convert_to_tensor(inputs[spec.name], spec.dtype)
                for spec in specs
            }
        )
        return {
            name: np.asarray(outputs[name])
            for name in signatures.sort_names(outputs)
        }

    return equivalence.Runner(run, [spec.name for spec in specs])


def _write_onnx(model, path, signature):
    onnx_ops.register()
    with onnx_ops.quiet(), warnings.catch_warnings():
        # tf2onnx uses types that NumPy has removed.
        warnings.simplefilter("ignore", FutureWarning)
        model.export(
            str(path),
            format="onnx",
            verbose=False,
            input_signature=[_with_batch_size(model, signature).specs],
        )


def _load_onnx(path):
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(path))
    except Exception as error:  # onnxruntime has its own exceptions
        missing = re.search(r"No Op registered for (\w+)", str(error))
        if missing is None:
            raise
        raise ValueError(
            f"The model uses TensorFlow's operation {missing[1]!r}, which "
            "tf2onnx cannot convert to ONNX. Nothing was written. Use another "
            "format."
        ) from error
    inputs = [each.name for each in session.get_inputs()]
    names = [each.name for each in session.get_outputs()]
    # tf2onnx keeps the keys of dictionaries. It keeps the order of lists, and
    # names their tensors after operations.
    if all(name.startswith("Identity") for name in names):
        names = [f"output_{i}" for i in range(len(names))]

    def run(arrays):
        outputs = session.run(None, {name: arrays[name] for name in inputs})
        return dict(zip(names, outputs, strict=True))

    return equivalence.Runner(run, inputs)


def _write_compact(model, path):
    if equivalence.is_stateful(model):
        raise ValueError(
            "A file of format 'compact' cannot keep the states of layers. "
            f"Received: {model.name!r} with states. Nothing was written. Use "
            "'keras', or build the layers with `stateful=False`."
        )
    with unwrapping.uncompiled(model):
        compact.write(model, path)


def _load_compact(path):
    return equivalence.runner(compact.read(path))


_KERAS_DENSE = Format(".keras", _write_keras_dense, _load_keras)
FORMATS = {
    "keras": Format(".keras", _write_keras, _load_keras, _KERAS_DENSE),
    "saved_model": Format(
        "", _write_saved_model, _load_saved_model, has_signature=True
    ),
    "onnx": Format(".onnx", _write_onnx, _load_onnx, has_signature=True),
    "litert": Format(
        ".tflite",
        litert.write,
        litert.load,
        Format(".tflite", litert.write_dense, litert.load, has_signature=True),
        litert.advice,
        has_signature=True,
    ),
    "compact": Format(".rigl", _write_compact, _load_compact, _KERAS_DENSE),
}
