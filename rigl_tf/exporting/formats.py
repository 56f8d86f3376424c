"""The formats that a model can be written in, and how each is read again."""

import dataclasses
import warnings
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from rigl_tf.exporting import compact
from rigl_tf.exporting import litert
from rigl_tf.exporting import measuring


@dataclasses.dataclass(frozen=True)
class Format:
    """A way of writing a plain Keras model.

    Attributes:
        suffix: String, of the name of the file or directory.
        write: Function of a `keras.Model` and a path.
        opened: Function from a path to a function from a list of arrays, the
            inputs, to a list of arrays, the outputs.
        dense: `Format` that does without sparsity, to compare with, or `None`
            if this one does.
        advice: Function from a model and a path to a string, what to do if
            what was written computes something else.
    """

    suffix: str
    write: Callable
    opened: Callable
    dense: "Format | None" = None
    advice: Callable = lambda model, path: "Use another format."


def _write_keras(model, path):
    model.save(path)


def _open_keras(path):
    return measuring.runner(keras.saving.load_model(path))


def _write_saved_model(model, path):
    model.export(str(path), format="tf_saved_model", verbose=False)


def _open_saved_model(path):
    loaded = tf.saved_model.load(str(path))

    def run(inputs):
        outputs = loaded.serve(inputs[0] if len(inputs) == 1 else inputs)
        return [np.asarray(y) for y in tf.nest.flatten(outputs)]

    return run


def _write_onnx(model, path):
    with warnings.catch_warnings():
        # tf2onnx asks NumPy for types that it had.
        warnings.simplefilter("ignore", FutureWarning)
        model.export(str(path), format="onnx", verbose=False)


def _open_onnx(path):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path))
    names = [each.name for each in session.get_inputs()]
    return lambda inputs: session.run(
        None, dict(zip(names, inputs, strict=True))
    )


def _open_compact(path):
    return measuring.runner(compact.read(path))


_KERAS = Format(".keras", _write_keras, _open_keras)
FORMATS = {
    "keras": _KERAS,
    "saved_model": Format("", _write_saved_model, _open_saved_model),
    "onnx": Format(".onnx", _write_onnx, _open_onnx),
    "litert": Format(
        ".tflite",
        litert.write,
        litert.opened,
        Format(".tflite", litert.write_dense, litert.opened),
        litert.advice,
    ),
    "compact": Format(".rigl", compact.write, _open_compact, _KERAS),
}
