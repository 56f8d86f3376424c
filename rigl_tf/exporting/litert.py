"""LiteRT, formerly TensorFlow Lite."""

import warnings

import numpy as np
import tensorflow as tf


def write(model, path):
    """Writes a model whose zeros are not stored, in single precision.

    Kernels with many zeros become sparse tensors. Those that dense layers have
    in blocks of 1 x 4 are multiplied as they are; all others are made dense
    when the file is loaded.
    """
    _write(model, path, [tf.lite.Optimize.EXPERIMENTAL_SPARSITY])


def write_dense(model, path):
    """Writes a model with its zeros."""
    _write(model, path, [])


def opened(path):
    """A function from a list of inputs to a list of outputs."""
    with warnings.catch_warnings():
        # It says that it moves to another package; it is the same.
        warnings.simplefilter("ignore", UserWarning)
        interpreter = tf.lite.Interpreter(model_path=str(path))
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
    path.write_bytes(converter.convert())
