"""Which rule a call follows."""

import keras
from keras import layers as kl

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
# Channel by channel, and each with as many as came in.
_BY_CHANNEL = {
    kl.Add: rules.Elementwise,
    kl.Average: rules.Elementwise,
    kl.ELU: rules.Elementwise,
    kl.LeakyReLU: rules.Elementwise,
    kl.Maximum: rules.Elementwise,
    kl.Minimum: rules.Elementwise,
    kl.ReLU: rules.Elementwise,
    kl.Subtract: rules.Elementwise,
    kl.Multiply: rules.Product,
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
# What `+`, `*` and the like on tensors make; Keras exports no names for them.
_OPERATIONS = {
    "Add": rules.Elementwise,
    "Divide": rules.Elementwise,
    "Multiply": rules.Product,
    "Subtract": rules.Elementwise,
}


def rule(call):
    """The rule of a call; the one for unknown operations if in doubt.

    Args:
        call: `graph.Call`.

    Returns:
        `rules.Rule`.
    """
    kind = rules.Rule
    if call.only and len(call.outputs) == 1 and call.inputs:
        if _is_plain(call):
            kind = _kind(call)
    return kind(call)


def _is_plain(call):
    """Whether a call is of the channels last, and as in inference."""
    layer = call.operation
    return (
        None
        not in [call.num_channels, *map(layer_graph.num_channels, call.inputs)]
        and getattr(layer, "data_format", None) != "channels_first"
        and not getattr(layer, "quantization_mode", None)
        and not getattr(layer, "lora_enabled", False)
        and not call.arguments.kwargs.get("training")
    )


def _kind(call):
    layer = call.operation
    kind = type(layer)
    if kind in _LINEAR:
        return _LINEAR[kind] if getattr(layer, "groups", 1) == 1 else rules.Rule
    if kind is kl.EinsumDense:
        return linear_rules.Einsum if _is_dense(layer) else rules.Rule
    if kind is kl.Concatenate:
        last = len(call.outputs[0].shape) - 1
        return rules.Concatenation if layer.axis in (-1, last) else rules.Rule
    if kind in (kl.Flatten, kl.Reshape):
        return rules.Flattening if _flattens(call) else rules.Rule
    if not call.keeps_channels():
        return rules.Rule
    if kind is kl.BatchNormalization:
        last = len(call.outputs[0].shape) - 1
        return rules.Normalization if layer.axis in (-1, last) else rules.Rule
    if kind is kl.Activation:
        known = linear_rules.is_elementwise(layer.activation)
        return rules.Elementwise if known else rules.Rule
    if kind is kl.PReLU:
        alone = layer.alpha.shape[-1] == keras.ops.size(layer.alpha)
        return rules.Elementwise if alone else rules.Rule
    if kind.__module__ == "keras.src.ops.numpy" and not _has_arrays(call):
        return _OPERATIONS.get(kind.__name__, rules.Rule)
    return _BY_CHANNEL.get(kind, rules.Rule)


def _is_dense(layer):
    """Whether an EinsumDense could be a Dense layer."""
    letters = kernel_layout.matrices(layer.equation)
    if letters is None:
        return False
    _, summed, made = letters
    return len(summed) == len(made) == 1 and layer.bias_axes in (None, made)


def _flattens(call):
    """Whether all positions of some last axes become channels, in order."""
    before, after = call.inputs[0].shape[1:], call.outputs[0].shape[1:]
    start = len(after) - 1
    return None not in before and (
        before[-1] == after[-1] or before[:start] == after[:start]
    )


def _has_arrays(call):
    """Whether a call takes arrays beside tensors of the model."""
    arguments = keras.tree.flatten([call.arguments.args, call.arguments.kwargs])
    known = [id(tensor) for tensor in call.inputs]
    return any(
        not isinstance(each, int | float) and id(each) not in known
        for each in arguments
    )
