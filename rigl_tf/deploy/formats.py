"""The formats that a model can be written in, and how each is read again."""

import dataclasses
import warnings
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from rigl_tf.analysis import equivalence
from rigl_tf.analysis import signatures
from rigl_tf.deploy import compact
from rigl_tf.deploy import litert
from rigl_tf.deploy import loading
from rigl_tf.deploy import unwrapping
from rigl_tf.utils import durable


@dataclasses.dataclass(frozen=True)
class Format:
    """A way of writing a plain Keras model.

    Attributes:
        suffix: String, of the name of the file or directory.
        write: Function of a `keras.Model` and a path; with a signature, also
            of a `Signature`.
        opened: Function from a path to a `Runner` of what was written.
        dense: `Format` that does without sparsity, to compare with, or `None`
            if this one does.
        advice: Function from a model and a path to a string, what to do if
            what was written computes something else.
        has_signature: Boolean, whether the file names its inputs and outputs
            itself and needs no Python class of the model, so that subclassed
            models can be written.
    """

    suffix: str
    write: Callable
    opened: Callable
    dense: "Format | None" = None
    advice: Callable = lambda model, path: "Use another format."
    has_signature: bool = False


def _batched(model, signature):
    """Leaves the batch size open, as Keras does, unless states depend on it."""
    if equivalence.is_stateful(model):
        return signature
    return signature.with_open_batch()


def _write_keras(model, path):
    with unwrapping.uncompiled(model), durable.replacing(path) as partial:
        model.save(partial)


def _open_keras(path):
    return equivalence.runner(loading.read_keras(path))


def _write_saved_model(model, path, signature):
    model.export(
        str(path),
        format="tf_saved_model",
        verbose=False,
        input_signature=[_batched(model, signature).specs],
    )


def _open_saved_model(path):
    loaded = tf.saved_model.load(str(path))
    # As the model takes them; the signature sorts them by name.
    called = loaded.serve.concrete_functions[0].structured_input_signature
    specs = tf.nest.flatten(called)

    def run(inputs):
        # Through what was loaded, which deletes its variables when it goes.
        outputs = loaded.signatures["serving_default"](
            **{
                spec.name: tf.convert_to_tensor(inputs[spec.name], spec.dtype)
                for spec in specs
            }
        )
        return {
            name: np.asarray(outputs[name])
            for name in signatures.in_order(outputs)
        }

    return equivalence.Runner(run, [spec.name for spec in specs])


def _write_onnx(model, path, signature):
    with warnings.catch_warnings():
        # tf2onnx asks NumPy for types that it had.
        warnings.simplefilter("ignore", FutureWarning)
        model.export(
            str(path),
            format="onnx",
            verbose=False,
            input_signature=[_batched(model, signature).specs],
        )


def _open_onnx(path):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path))
    inputs = [each.name for each in session.get_inputs()]
    names = [each.name for each in session.get_outputs()]
    # tf2onnx keeps the keys of dictionaries. It leaves lists in order, and
    # names their tensors after operations.
    if all(name.startswith("Identity") for name in names):
        names = [f"output_{i}" for i in range(len(names))]

    def run(arrays):
        outputs = session.run(None, {name: arrays[name] for name in inputs})
        return dict(zip(names, outputs, strict=True))

    return equivalence.Runner(run, inputs)


def _write_compact(model, path):
    with unwrapping.uncompiled(model):
        compact.write(model, path)


def _open_compact(path):
    return equivalence.runner(compact.read(path))


_KERAS = Format(".keras", _write_keras, _open_keras)
FORMATS = {
    "keras": _KERAS,
    "saved_model": Format(
        "", _write_saved_model, _open_saved_model, has_signature=True
    ),
    "onnx": Format(".onnx", _write_onnx, _open_onnx, has_signature=True),
    "litert": Format(
        ".tflite",
        litert.write,
        litert.opened,
        Format(
            ".tflite", litert.write_dense, litert.opened, has_signature=True
        ),
        litert.advice,
        has_signature=True,
    ),
    "compact": Format(".rigl", _write_compact, _open_compact, _KERAS),
}
