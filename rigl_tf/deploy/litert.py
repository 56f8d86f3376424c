"""Export to LiteRT, formerly TensorFlow Lite."""

import re
import tempfile
import warnings

import keras
import numpy as np
import tensorflow as tf

from rigl_tf._keras_compat import all_layers
from rigl_tf.analysis import equivalence
from rigl_tf.analysis import signatures
from rigl_tf.utils import durable

_BLOCK = 4  # inputs of one output


def write(model, path, signature=None):
    """Writes a model without its zeros, in single precision.

    Kernels with many zeros become sparse tensors. LiteRT multiplies without
    zeros only kernels of dense layers whose zeros are in blocks of four inputs
    of one output, `structures.Blocks(4, 1)`. It makes all other kernels dense
    when it loads the file.

    Args:
        model: `keras.Model`.
        path: Path of the file.
        signature: `Signature`; by default, the model's.
    """
    _write(model, path, signature, [tf.lite.Optimize.EXPERIMENTAL_SPARSITY])


def write_dense(model, path, signature=None):
    """Writes a model with its zeros; takes the arguments of `write`."""
    _write(model, path, signature, [])


def count_sparse_kernels(path):
    """Counts the kernels of a file that are stored without zeros.

    Args:
        path: Path of a file that `write` has written.

    Returns:
        Pair of integers: the kernels stored without zeros, and how many of
        these are stored in blocks.
    """
    kernels = _sparse_tensors(path)
    return len(kernels), sum(_in_blocks(each) for each in kernels)


def advice(model, path):
    """Returns what to do if a file has other outputs than the model."""
    return _layer_advice(model) or _block_advice(path) or "Use another format."


def load(path):
    """Loads a file into an interpreter.

    Lists of inputs and outputs are in LiteRT's order, which can differ from the
    model's. Dictionaries have the names of the signature.

    Args:
        path: Path of a file that `write` has written.

    Returns:
        `Runner`.
    """
    interpreter = _interpreter(path)
    signature = interpreter.get_signature_runner()
    inputs = _indices(
        signature.get_input_details(), interpreter.get_input_details()
    )
    outputs = _indices(
        signature.get_output_details(), interpreter.get_output_details()
    )
    shapes = {}

    def run(arrays):
        new_shapes = {name: np.shape(arrays[name]) for name in inputs}
        if new_shapes != shapes:
            for name, index in inputs.items():
                interpreter.resize_tensor_input(index, new_shapes[name])
            interpreter.allocate_tensors()
            shapes.update(new_shapes)
        for name, index in inputs.items():
            interpreter.set_tensor(index, arrays[name])
        interpreter.invoke()
        return {
            name: np.array(interpreter.get_tensor(index))
            for name, index in outputs.items()
        }

    return equivalence.Runner(run, list(inputs))


def _write(model, path, signature, optimizations):
    signature = signature or signatures.model_signature(model)
    try:
        with durable.replacing(path) as partial:
            partial.write_bytes(_convert(model, signature, optimizations))
    except Exception as error:  # its class is not public
        advice = _layer_advice(model) or _operation_advice(error)
        if advice is None:
            raise
        raise ValueError(
            f"{model.name!r} cannot be converted to 'litert'. {advice}"
        ) from error


def _convert(model, signature, optimizations):
    """Converts a model; returns the bytes of the file.

    `TFLiteConverter.from_keras_model` does the same, but only for models whose
    inputs are not a dictionary.
    """
    with tempfile.TemporaryDirectory() as directory:
        archive = keras.export.ExportArchive()
        archive.track(model)
        archive.add_endpoint(
            "serve",
            lambda inputs: model(inputs, training=False),
            [signature.specs],
        )
        archive.write_out(directory, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(directory)
        converter.optimizations = optimizations
        return converter.convert()


def _indices(named, details):
    """Maps names to indices of tensors, in the order of the file."""
    order = [each["index"] for each in details]
    indices = {name: each["index"] for name, each in named.items()}
    return {
        name: indices[name]
        for name in sorted(indices, key=lambda n: order.index(indices[n]))
    }


def _layer_advice(model):
    """Returns advice on a layer that LiteRT does not support, or `None`."""
    for layer in all_layers(model, include_self=False):
        if getattr(layer, "quantization_mode", None):
            return (
                f"Layer {layer.name!r} is quantized by Keras to "
                f"{layer.quantization_mode}, which LiteRT does not support. "
                "Export the model before quantization, or as 'keras', "
                "'saved_model' or 'onnx'."
            )
    return precision_advice(model)


def precision_advice(model):
    """Returns advice on a layer that is not in float32, or `None`."""
    for layer in all_layers(model, include_self=False):
        other = {"float16", "bfloat16", "float64"} & {layer.compute_dtype}
        if other and not isinstance(layer, keras.layers.InputLayer):
            return (
                f"Layer {layer.name!r} computes in {layer.compute_dtype}. "
                "Build the same model under "
                "`keras.config.set_dtype_policy('float32')`, copy the "
                "weights with `set_weights`, and export that model."
            )
    return None


def _operation_advice(error):
    """Returns advice on operations that LiteRT does not have, or `None`."""
    names = re.findall(r"'tf\.(\w+)' op is neither a custom op", str(error))
    if not names:
        return None
    return (
        f"LiteRT does not have TensorFlow's {', '.join(sorted(set(names)))}. "
        "Export the model without the layers that need them, such as layers "
        "for strings, and compute their outputs before; or export it as "
        "'saved_model'."
    )


def _block_advice(path):
    """Returns advice on blocks that LiteRT multiplies wrongly, or `None`."""
    odd = {
        int(each["shape"][-1])
        for each in _sparse_tensors(path)
        if _in_blocks(each) and each["shape"][-1] % _BLOCK
    }
    if not odd:
        return None
    return (
        "LiteRT computes wrong outputs of dense layers with "
        f"{', '.join(map(str, sorted(odd)))} inputs if most of their zeros are "
        f"in blocks of {_BLOCK}. Use a multiple of {_BLOCK} inputs, or another "
        "format."
    )


def _sparse_tensors(path):
    """Returns the interpreter's details of tensors stored without zeros."""
    details = _interpreter(path).get_tensor_details()
    return [each for each in details if each["sparsity_parameters"]]


def _in_blocks(kernel):
    return len(kernel["sparsity_parameters"]["block_map"]) > 0


def _interpreter(path):
    with warnings.catch_warnings():
        # It warns that it moves to another package with the same content.
        warnings.simplefilter("ignore", UserWarning)
        return tf.lite.Interpreter(model_path=str(path))
