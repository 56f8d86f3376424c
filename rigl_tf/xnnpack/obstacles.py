"""What of one call prevents that zeros are skipped, and what to change."""

from keras import activations
from keras import layers as kl

from rigl_tf.xnnpack.network import BEFORE
from rigl_tf.xnnpack.network import INSIDE

# Those that were tried.
_ACTIVATIONS = ("gelu", "hard_silu", "linear", "relu", "relu6", "silu")
# The same as operations, which Keras exports no names for.
_OPERATIONS = ("Gelu", "HardSilu", "Relu", "Relu6", "Silu")
_INSTEAD = {
    kl.AveragePooling2D: "a depthwise convolution with a stride of 2",
    kl.Concatenate: "Add",
    kl.Dense: "a 1x1 convolution",
    kl.Flatten: "GlobalAveragePooling2D",
    kl.GlobalMaxPooling2D: "GlobalAveragePooling2D",
    kl.MaxPooling2D: "a depthwise convolution with a stride of 2",
    kl.SeparableConv2D: "DepthwiseConv2D and a 1x1 Conv2D",
}


def obstacle(call, network):
    """What of a call prevents that zeros are skipped; `None` if nothing.

    Args:
        call: `graph.Call`, not before the first convolution of the model nor
            after the pooling.
        network: `Network` that it is of.

    Returns:
        String or `None`.
    """
    operation = call.operation
    dtype = getattr(operation, "compute_dtype", "float32")
    if dtype != "float32":
        return f"It computes in {dtype}, and LiteRT in float32."
    found = _KINDS.get(type(operation), _of_others)(call, network)
    if found is None and network.place(call) == INSIDE:
        if id(call.outputs[0]) in network.outputs:
            return (
                "Its output leaves the model. Convolutions must end in "
                "GlobalAveragePooling2D."
            )
    return found


def is_1x1(call):
    """Whether a call is of a 1x1 convolution."""
    layer = call.operation
    return isinstance(layer, kl.Conv2D) and layer.kernel_size == (1, 1)


def _of_convolution(call, network):
    layer = call.operation
    if network.places_of_inputs(call) == {BEFORE}:
        return _of_first(call, network)
    if not is_1x1(call):
        height, width = layer.kernel_size
        return (
            f"Convolutions of {height}x{width} are computed densely, and so "
            "is what is around them. Take a depthwise and a 1x1 one."
        )
    return _needs(
        "A 1x1 convolution",
        {
            "a stride of 1": layer.strides == (1, 1),
            "dilation_rate=1": layer.dilation_rate == (1, 1),
            "groups=1": layer.groups == 1,
        },
    ) or _of_activation(call, network)


def _of_first(call, network):
    layer = call.operation
    return _needs(
        "The first convolution",
        {
            "a 3x3 kernel": layer.kernel_size == (3, 3),
            "a stride of 2": layer.strides == (2, 2),
            "3 channels that come in": call.inputs[0].shape[-1] == 3,
            "dilation_rate=1": layer.dilation_rate == (1, 1),
            "groups=1": layer.groups == 1,
            "ZeroPadding2D(1) before it with padding='valid'": (
                layer.padding == "valid"
                and _padding(call, network) == ((1, 1), (1, 1))
            ),
        },
    ) or _of_activation(call, network)


def _of_depthwise(call, network):
    layer = call.operation
    if network.places_of_inputs(call) == {BEFORE}:
        return (
            "The first convolution needs to be a 3x3 Conv2D with a stride of 2."
        )
    known = layer.kernel_size in ((3, 3), (5, 5))
    size = layer.kernel_size[0] // 2
    if layer.strides == (1, 1):
        padded = "padding='same'"
    else:
        padded = f"ZeroPadding2D({size}) before it with padding='valid'"
    return _needs(
        "A depthwise convolution",
        {
            "a 3x3 or 5x5 kernel": known,
            "a stride of 1 or 2": layer.strides in ((1, 1), (2, 2)),
            "dilation_rate=1": layer.dilation_rate == (1, 1),
            "depth_multiplier=1": layer.depth_multiplier == 1,
            padded: (
                not known
                or _padding(call, network) == ((size, size), (size, size))
            ),
        },
    ) or _of_activation(call, network)


def _of_activation(call, network):
    del network
    if _activation(call.operation) in _ACTIVATIONS:
        return None
    return (
        "Its activation was not found to go with skipping zeros. Take one of "
        f"{', '.join(_ACTIVATIONS)}."
    )


def _of_relu(call, network):
    del network
    layer = call.operation
    plain = layer.negative_slope == 0 and layer.threshold == 0
    if plain and layer.max_value in (None, 6):
        return None
    return "ReLU needs max_value=None or 6, and nothing else."


def _of_normalization(call, network):
    before = network.maker(call)
    if (
        isinstance(before.operation, kl.Conv2D | kl.DepthwiseConv2D)
        and _activation(before.operation) == "linear"
        and network.feeds_only(before, call)
    ):
        return None
    return (
        "BatchNormalization is folded into a convolution if it comes right "
        "after one that has no activation and feeds nothing else. Put it there."
    )


def _of_zero_padding(call, network):
    for taker in network.takers[id(call.outputs[0])][:1]:
        if (
            isinstance(taker.operation, kl.Conv2D | kl.DepthwiseConv2D)
            and taker.operation.padding == "valid"
            and taker.operation.kernel_size != (1, 1)
            and network.feeds_only(call, taker)
        ):
            return None
    return (
        "Padding is folded into a convolution with padding='valid' if it feeds "
        "that one alone. Give each its own."
    )


def _of_sum(call, network):
    if len(call.inputs) < 2:
        return "It takes a constant. Leave it out."
    if len({tuple(tensor.shape[1:]) for tensor in call.inputs}) > 1:
        return (
            "It takes tensors of different shapes, as squeeze-and-excitation "
            "does. Leave it out."
        )
    if network.places_of_inputs(call) != {INSIDE}:
        return "It takes what no convolution has computed. Leave it out."
    return None


def _of_pooling(call, network):
    del call, network


def _of_others(call, network):
    kind = type(call.operation)
    module, name = kind.__module__, kind.__name__
    if module.startswith("keras.src.ops"):  # what is made of tensors
        if name in _OPERATIONS:
            return None
        if name in ("Add", "Multiply"):
            return _of_sum(call, network)
    if module.startswith("keras.src.activations") and name == "ReLU":
        return _of_relu(call, network)
    instead = _INSTEAD.get(kind)
    advice = f"Take {instead}" if instead else "Leave it out"
    return f"{name} was not found to go with skipping zeros. {advice}."


def _activation(layer):
    """The name of a layer's activation, if it is Keras's, or `None`."""
    name = getattr(layer.activation, "__name__", None)
    if name in _ACTIVATIONS and layer.activation is activations.get(name):
        return name
    return None


def _padding(call, network):
    """What a convolution pads with on each side; `None` if that is unequal."""
    layer = call.operation
    if layer.padding == "same":
        if layer.strides != (1, 1):
            return None
        return tuple((size // 2, size // 2) for size in layer.kernel_size)
    before = network.maker(call)
    if before is None or not isinstance(before.operation, kl.ZeroPadding2D):
        return ((0, 0), (0, 0))
    if not network.feeds_only(before, call):
        return None
    return before.operation.padding


def _needs(what, settings):
    """A sentence of the settings that are not as they have to be, if any."""
    missing = [name for name, holds in settings.items() if not holds]
    if not missing:
        return None
    *some, last = missing
    listed = f"{', '.join(some)} and {last}" if some else last
    return f"{what} needs {listed}."


_KINDS = {
    kl.Activation: _of_activation,
    kl.Add: _of_sum,
    kl.BatchNormalization: _of_normalization,
    kl.Conv2D: _of_convolution,
    kl.DepthwiseConv2D: _of_depthwise,
    kl.GlobalAveragePooling2D: _of_pooling,
    kl.Multiply: _of_sum,
    kl.ReLU: _of_relu,
    kl.ZeroPadding2D: _of_zero_padding,
}
