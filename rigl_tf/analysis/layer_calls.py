"""The calls of all layers in one forward pass, with their shapes."""

import contextlib
import dataclasses
import inspect
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

import keras
import tensorflow as tf
from keras import layers as kl

from rigl_tf import _keras_compat
from rigl_tf.modeling import sparse_wrapper
from rigl_tf.typing import Shape

CONVOLUTIONS = (
    kl.Conv1D,
    kl.Conv2D,
    kl.Conv3D,
    kl.DepthwiseConv1D,
    kl.DepthwiseConv2D,
    kl.SeparableConv1D,
    kl.SeparableConv2D,
)
_PADDING = (kl.ZeroPadding1D, kl.ZeroPadding2D, kl.ZeroPadding3D)


@dataclasses.dataclass(frozen=True)
class LayerCall:
    """A call of a layer.

    Attributes:
        name: String, the path of the layer.
        layer: Keras layer.
        inputs: List of tuples, the shapes of the inputs.
        bare: List of tuples, these shapes without the zeros that a layer for
            padding has added before.
        outputs: Tuple, the shape of the first output.
    """

    name: str
    layer: keras.Layer
    inputs: list
    bare: list
    outputs: tuple


def record(
    network: keras.Model,
    input_shape: Shape | Sequence[Shape] | Mapping[str, Shape] | None,
) -> list[LayerCall]:
    """Records the calls of all layers in one forward pass.

    Args:
        network: Built `keras.Model`.
        input_shape: As for `rigl_tf.flops.inference`.

    Returns:
        List of `LayerCall`, in order.

    Raises:
        ValueError: If the input shape is not fully known.
    """
    calls = []
    padded = {}
    names = dict(_paths(network, ""))
    specs = _input_specs(network, input_shape)

    def forward(*args):
        calls.clear()  # there are two traces if the first creates variables
        return network(*args, training=False)

    with contextlib.ExitStack() as stack:
        for layer, name in names.items():
            stack.enter_context(_record_calls(layer, name, calls, padded))
        tf.function(forward, autograph=False).get_concrete_function(specs)
    return calls


def _paths(layer: keras.Layer, path: str) -> Iterator:
    for child in _keras_compat.children(layer):
        # A wrapper has the name of its layer.
        is_wrapped = isinstance(layer, sparse_wrapper.Sparse)
        child_path = path if is_wrapped else f"{path}/{child.name}".strip("/")
        yield child, child_path
        if not isinstance(child, kl.RNN):  # its cell runs in a loop
            yield from _paths(child, child_path)


@contextlib.contextmanager
def _record_calls(layer, name, calls, padded):
    """Records the calls of a layer, and the shapes before zero padding."""
    call = layer.call
    signature = inspect.signature(call)

    def recording_call(*args, **kwargs):
        outputs = call(*args, **kwargs)
        # Binding sorts arguments by the signature.
        arguments = signature.bind(*args, **kwargs).arguments
        flat = keras.tree.flatten(list(arguments.values()))
        tensors = [t for t in flat if tf.is_tensor(t)]
        inputs = [tuple(t.shape) for t in tensors]
        bare = [
            # Variables and sparse tensors are never the output of padding.
            padded.get(t.ref() if isinstance(t, tf.Tensor) else None, shape)
            for t, shape in zip(tensors, inputs, strict=True)
        ]
        result = keras.tree.flatten(outputs)[0]
        if isinstance(layer, _PADDING) and any(
            isinstance(other.layer, CONVOLUTIONS) for other in calls
        ):
            padded[result.ref()] = inputs[0]
        shape = tuple(result.shape)
        calls.append(LayerCall(name, layer, inputs, bare, shape))
        return outputs

    with _keras_compat.call_replaced(layer, recording_call):
        yield


def _input_specs(network, input_shape):
    def spec(shape, dtype="float32"):
        if any(d is None for d in shape):
            raise ValueError(
                f"FLOPs need the full input shape. Received: {shape}. Pass "
                "`input_shape`, without the batch."
            )
        return tf.TensorSpec([1, *shape], dtype)

    if input_shape is not None:
        return keras.tree.map_shape_structure(spec, input_shape)
    inputs = getattr(network, "inputs", None)
    if not inputs:
        raise ValueError(
            f"FLOPs need the input shape. Received: {network.name!r} without "
            "an input shape. Pass `input_shape`, without the batch."
        )
    graph = _keras_compat.graph_of(network)
    return keras.tree.map_structure(
        lambda tensor: spec(tensor.shape[1:], tensor.dtype),
        inputs[0] if graph is None else graph.input,
    )
