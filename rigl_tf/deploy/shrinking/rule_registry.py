"""Maps layer calls to channel rules."""

import keras
from keras import layers as kl

from rigl_tf._keras_compat import array_operation
from rigl_tf.deploy.shrinking import layer_graph
from rigl_tf.deploy.shrinking import linear_rules
from rigl_tf.deploy.shrinking import rules
from rigl_tf.sparsity import kernel_layout

_LINEAR = {
    kl.Dense: linear_rules.Kernel,
    kl.Conv1D: linear_rules.Kernel,
    kl.Conv2D: linear_rules.Kernel,
    kl.Conv3D: linear_rules.Kernel,
    kl.Conv1DTranspose: linear_rules.Kernel,
    kl.Conv2DTranspose: linear_rules.Kernel,
    kl.Conv3DTranspose: linear_rules.Kernel,
    kl.DepthwiseConv1D: linear_rules.Depthwise,
    kl.DepthwiseConv2D: linear_rules.Depthwise,
    kl.SeparableConv1D: linear_rules.Separable,
    kl.SeparableConv2D: linear_rules.Separable,
}
# Layers that keep the channels of their input.
_BY_CHANNEL = {
    kl.Add: rules.Elementwise,
    kl.Average: rules.Elementwise,
    kl.ELU: rules.Elementwise,
    kl.LeakyReLU: rules.Elementwise,
    kl.Maximum: rules.Elementwise,
    kl.Minimum: rules.Elementwise,
    kl.ReLU: rules.Elementwise,
    kl.Subtract: rules.Elementwise,
    kl.Multiply: rules.Multiplication,
    kl.ActivityRegularization: rules.Unchanged,
    kl.AlphaDropout: rules.Unchanged,
    kl.AveragePooling1D: rules.Unchanged,
    kl.AveragePooling2D: rules.Unchanged,
    kl.AveragePooling3D: rules.Unchanged,
    kl.Cropping1D: rules.Unchanged,
    kl.Cropping2D: rules.Unchanged,
    kl.Cropping3D: rules.Unchanged,
    kl.Dropout: rules.Unchanged,
    kl.GaussianDropout: rules.Unchanged,
    kl.GaussianNoise: rules.Unchanged,
    kl.GlobalAveragePooling1D: rules.Unchanged,
    kl.GlobalAveragePooling2D: rules.Unchanged,
    kl.GlobalAveragePooling3D: rules.Unchanged,
    kl.GlobalMaxPooling1D: rules.Unchanged,
    kl.GlobalMaxPooling2D: rules.Unchanged,
    kl.GlobalMaxPooling3D: rules.Unchanged,
    kl.Identity: rules.Unchanged,
    kl.MaxPooling1D: rules.Unchanged,
    kl.MaxPooling2D: rules.Unchanged,
    kl.MaxPooling3D: rules.Unchanged,
    kl.SpatialDropout1D: rules.Unchanged,
    kl.SpatialDropout2D: rules.Unchanged,
    kl.SpatialDropout3D: rules.Unchanged,
    kl.UpSampling1D: rules.Unchanged,
    kl.UpSampling2D: rules.Unchanged,
    kl.UpSampling3D: rules.Unchanged,
    kl.ZeroPadding1D: rules.Padding,
    kl.ZeroPadding2D: rules.Padding,
    kl.ZeroPadding3D: rules.Padding,
}
# The operations of `+`, `*` and so on; Keras exports no names for them.
_OPERATIONS = {
    "Add": rules.Elementwise,
    "Divide": rules.Elementwise,
    "Multiply": rules.Multiplication,
    "Subtract": rules.Elementwise,
}


def rule(call):
    """Returns the rule of a call; `ChannelRule` for unknown operations.

    Args:
        call: `layer_graph.Call`.

    Returns:
        `rules.ChannelRule`.
    """
    rule_class = rules.ChannelRule
    if call.is_only_call and len(call.outputs) == 1 and call.inputs:
        if _is_plain(call):
            rule_class = _rule_class(call)
    return rule_class(call)


def _is_plain(call):
    """Returns whether a call has channels last and runs in inference."""
    layer = call.operation
    return (
        None
        not in [call.num_channels, *map(layer_graph.num_channels, call.inputs)]
        and getattr(layer, "data_format", None) != "channels_first"
        and not getattr(layer, "quantization_mode", None)
        and not getattr(layer, "lora_enabled", False)
        and not call.arguments.kwargs.get("training")
    )


def _rule_class(call):
    layer = call.operation
    layer_class, unknown = type(layer), rules.ChannelRule
    if layer_class in _LINEAR:
        return (
            _LINEAR[layer_class]
            if getattr(layer, "groups", 1) == 1
            else unknown
        )
    if layer_class is kl.EinsumDense:
        return linear_rules.Einsum if _is_dense(layer) else unknown
    if layer_class is kl.Concatenate:
        last = len(call.outputs[0].shape) - 1
        return rules.Concatenation if layer.axis in (-1, last) else unknown
    if layer_class in (kl.Flatten, kl.Reshape):
        return rules.Flattening if _flattens(call) else unknown
    if not call.keeps_channels():
        return unknown
    if layer_class is kl.BatchNormalization:
        last = len(call.outputs[0].shape) - 1
        return rules.Normalization if layer.axis in (-1, last) else unknown
    if layer_class is kl.Activation:
        known = linear_rules.is_elementwise(layer.activation)
        return rules.Elementwise if known else unknown
    if layer_class is kl.PReLU:
        by_channel = layer.alpha.shape[-1] == keras.ops.size(layer.alpha)
        return rules.Elementwise if by_channel else unknown
    operation = array_operation(layer)
    if operation is not None:
        known = None if _has_arrays(call) else _OPERATIONS.get(operation)
        return known or unknown
    return _BY_CHANNEL.get(layer_class, unknown)


def _is_dense(layer):
    """Returns whether an EinsumDense layer is equal to a Dense layer."""
    letters = kernel_layout.matrices(layer.equation)
    if letters is None:
        return False
    _, summed, made = letters
    return len(summed) == len(made) == 1 and layer.bias_axes in (None, made)


def _flattens(call):
    """Returns whether the call merges its last axes into channels, in order."""
    before, after = call.inputs[0].shape[1:], call.outputs[0].shape[1:]
    start = len(after) - 1
    merges = len(before) > start and before[:start] == after[:start]
    return None not in before and (before[-1] == after[-1] or merges)


def _has_arrays(call):
    """Returns whether a call has arrays among its arguments."""
    arguments = keras.tree.flatten([call.arguments.args, call.arguments.kwargs])
    known = [id(tensor) for tensor in call.inputs]
    return any(
        not isinstance(each, int | float) and id(each) not in known
        for each in arguments
    )
