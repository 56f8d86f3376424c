"""LiteRT, formerly TensorFlow Lite."""

import tempfile
import warnings

import keras
import numpy as np
import tensorflow as tf

from rigl_tf.analysis import equivalence
from rigl_tf.analysis import signatures
from rigl_tf.utils import durable

_BLOCK = 4  # inputs that belong to one output


def write(model, path, signature=None):
    """Writes a model whose zeros are not stored, in single precision.

    Kernels with many zeros become sparse tensors. Those that dense layers have
    in blocks of four inputs of one output, `granularity.Blocks(4, 1)`, are
    multiplied as they are; all others are made dense when the file is loaded.

    Args:
        model: `keras.Model`.
        path: Path of the file.
        signature: `Signature`, by default the model's.
    """
    _write(model, path, signature, [tf.lite.Optimize.EXPERIMENTAL_SPARSITY])


def write_dense(model, path, signature=None):
    """Writes a model with its zeros. The arguments are those of `write`."""
    _write(model, path, signature, [])


def stored(path):
    """How many kernels of a file are stored without zeros, and in blocks.

    Args:
        path: Path of a file that `write` has written.

    Returns:
        Pair of integers. The second are among the first.
    """
    kernels = _sparse(path)
    return len(kernels), sum(_in_blocks(each) for each in kernels)


def advice(model, path):
    """What to do if a file does not compute what the model does."""
    return _about_layers(model) or _about_blocks(path) or "Use another format."


def opened(path):
    """Opens a file to run it.

    LiteRT has an order of its own for inputs and outputs, in which lists of
    arrays are taken and given. Dictionaries go by the names of the signature.

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
        wanted = {name: np.shape(arrays[name]) for name in inputs}
        if wanted != shapes:
            for name, index in inputs.items():
                interpreter.resize_tensor_input(index, wanted[name])
            interpreter.allocate_tensors()
            shapes.update(wanted)
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
            partial.write_bytes(_converted(model, signature, optimizations))
    except Exception as error:  # of no public class
        about = _about_layers(model)
        if about is None:
            raise
        raise ValueError(
            f"{model.name!r} cannot be 'litert'. {about}"
        ) from error


def _converted(model, signature, optimizations):
    """Converts a model, and returns the bytes of the file.

    `TFLiteConverter.from_keras_model` does the same for models whose inputs
    are not a dictionary.
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


def _about_layers(model):
    """What to do about a layer that LiteRT has nothing like; or `None`."""
    for layer in model._flatten_layers(include_self=False):
        if getattr(layer, "quantization_mode", None):
            return (
                f"Layer {layer.name!r} is quantized by Keras to "
                f"{layer.quantization_mode}, which LiteRT does not know. "
                "Export the model as it was before, or as 'keras', "
                "'saved_model' or 'onnx'."
            )
        other = {"float16", "bfloat16", "float64"} & {layer.compute_dtype}
        if other and not isinstance(layer, keras.layers.InputLayer):
            return (
                f"Layer {layer.name!r} computes in {layer.compute_dtype}, and "
                "LiteRT in float32. Make the same model under "
                "`keras.config.set_dtype_policy('float32')`, give it the "
                "weights with `set_weights`, and export that."
            )
    return None


def _about_blocks(path):
    """What to do about blocks that LiteRT multiplies wrongly; or `None`."""
    odd = {
        int(each["shape"][-1])
        for each in _sparse(path)
        if _in_blocks(each) and each["shape"][-1] % _BLOCK
    }
    if not odd:
        return None
    return (
        f"LiteRT gets dense layers with {', '.join(map(str, sorted(odd)))} "
        f"inputs wrong if most of their zeros are in blocks of {_BLOCK}: take "
        f"a multiple of {_BLOCK} inputs, or another format."
    )


def _sparse(path):
    """What the interpreter says of the tensors stored without zeros."""
    details = _interpreter(path).get_tensor_details()
    return [each for each in details if each["sparsity_parameters"]]


def _in_blocks(kernel):
    return len(kernel["sparsity_parameters"]["block_map"]) > 0


def _interpreter(path):
    with warnings.catch_warnings():
        # It says that it moves to another package; it is the same.
        warnings.simplefilter("ignore", UserWarning)
        return tf.lite.Interpreter(model_path=str(path))
