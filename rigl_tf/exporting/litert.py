"""LiteRT, formerly TensorFlow Lite."""

import warnings

import keras
import numpy as np
import tensorflow as tf

_BLOCK = 4  # inputs that belong to one output


def write(model, path):
    """Writes a model whose zeros are not stored, in single precision.

    Kernels with many zeros become sparse tensors. Those that dense layers have
    in blocks of four inputs of one output, `granularity.Blocks(4, 1)`, are
    multiplied as they are; all others are made dense when the file is loaded.
    """
    _write(model, path, [tf.lite.Optimize.EXPERIMENTAL_SPARSITY])


def write_dense(model, path):
    """Writes a model with its zeros."""
    _write(model, path, [])


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
    """A function from a list of inputs to a list of outputs."""
    interpreter = _interpreter(path)
    shapes = None

    def run(inputs):
        nonlocal shapes
        places = [each["index"] for each in interpreter.get_input_details()]
        wanted = [array.shape for array in inputs]
        if wanted != shapes:
            for place, shape in zip(places, wanted, strict=True):
                interpreter.resize_tensor_input(place, shape)
            interpreter.allocate_tensors()
            shapes = wanted
        for place, array in zip(places, inputs, strict=True):
            interpreter.set_tensor(place, array)
        interpreter.invoke()
        return [
            np.array(interpreter.get_tensor(each["index"]))
            for each in interpreter.get_output_details()
        ]

    return run


def _write(model, path, optimizations):
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = optimizations
    try:
        path.write_bytes(converter.convert())
    except Exception as error:  # of no public class
        about = _about_layers(model)
        if about is None:
            raise
        raise ValueError(
            f"{model.name!r} cannot be 'litert'. {about}"
        ) from error


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
