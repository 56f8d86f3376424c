"""Operations of TensorFlow that tf2onnx does not convert."""

import contextlib
import functools
import logging

import numpy as np


@functools.cache
def register():
    """Adds the conversions to tf2onnx; they apply to all later exports.

    The exact GELU of Keras uses `Erfc`. If a later version of tf2onnx converts
    an operation itself, in an opset after 9, its conversion is used.
    """
    from tf2onnx import handler

    handler.tf_op.register_handler(_erfc, 9, ["Erfc"], "", {})


@contextlib.contextmanager
def quiet():
    """Hides messages of tf2onnx; an exported file is run as a check anyway."""
    levels = {
        logger: logger.level
        for logger in map(logging.getLogger, ("tf2onnx", "tensorflow"))
    }
    try:
        for logger in levels:
            logger.setLevel(logging.CRITICAL)
        yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)


def _erfc(graph, node, **kwargs):
    """Replaces erfc(x) by 1 - erf(x)."""
    del kwargs
    shapes, dtypes = node.output_shapes, node.output_dtypes
    array = np.array(1, _numpy_dtype(dtypes[0]))
    one = graph.make_const(f"{node.name}/one", array)
    graph.remove_node(node.name)
    erf = graph.make_node("Erf", node.input, shapes=shapes, dtypes=dtypes)
    graph.make_node(
        "Sub",
        [one.output[0], erf.output[0]],
        outputs=node.output,
        name=node.name,
        shapes=shapes,
        dtypes=dtypes,
    )


def _numpy_dtype(dtype):
    from onnx import helper

    return helper.tensor_dtype_to_np_dtype(dtype)
