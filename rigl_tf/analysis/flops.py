"""Parameters and FLOPs of dense and sparse models.

Two conventions are available. Both count one example.

- `"macs2"` counts two operations for each multiply-accumulate of a
  convolution, dense or recurrent layer or of attention, and nothing else. It
  gives the dense FLOPs of both source papers.
- `"micronet"` counts as the original authors do: every convolution as if it
  had "same" padding, and a bias and a ReLU for each output. A layer that pads
  with zeros counts as part of the convolution after it. Padding before the
  first convolution makes a larger image.
"""

import dataclasses
import math
import warnings
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Self

import keras
from keras import layers as kl

from rigl_tf import _keras_compat
from rigl_tf import algorithms
from rigl_tf.analysis import layer_calls
from rigl_tf.modeling import sparse_wrapper
from rigl_tf.modeling.arguments import as_algorithm
from rigl_tf.modeling.forwarded_attributes import network_of
from rigl_tf.sparsity import kernel_layout
from rigl_tf.typing import Shape
from rigl_tf.utils.validation import check_count
from rigl_tf.utils.validation import check_number

CONVENTIONS = ("macs2", "micronet")

_TRANSPOSED = (kl.Conv1DTranspose, kl.Conv2DTranspose, kl.Conv3DTranspose)
_CELLS = (kl.SimpleRNNCell, kl.LSTMCell, kl.GRUCell)
_ATTENTION = (kl.MultiHeadAttention, kl.GroupQueryAttention, kl.Attention)


class ConnectionCounts:
    """Mixin with the properties of `shape` and `active` connections."""

    shape: tuple[int, ...]
    active: int

    @property
    def size(self) -> int:
        """Integer, the connections of the dense kernel."""
        return math.prod(self.shape)

    @property
    def sparsity(self) -> float:
        """Float in [0, 1), the fraction of zeros."""
        return 1 - self.active / self.size


@dataclasses.dataclass(frozen=True)
class KernelCost(ConnectionCounts):
    """The cost of one kernel for one example.

    Attributes:
        name: String, the path of the layer and the name of the kernel.
        shape: Tuple of integers, the shape of the kernel.
        active: Integer, the active connections of the kernel.
        uses: Integer, how often each weight is used.
        same_uses: Integer, how often each weight would be used with "same"
            padding.
        outputs: Integer, the outputs of one use.
        sparse: Boolean, whether the kernel has a mask.
    """

    name: str
    shape: tuple
    active: int
    uses: int
    same_uses: int
    outputs: int
    sparse: bool

    def flops(self, convention: str = "macs2", dense: bool = False) -> int:
        """Returns the FLOPs of the kernel for one example.

        Args:
            convention: `"macs2"` or `"micronet"`.
            dense: Boolean, whether to count the dense kernel.
        """
        _check_convention(convention)
        weights = self.size if dense else self.active
        if convention == "macs2":
            return 2 * weights * self.uses
        return (2 * weights + self.outputs) * self.same_uses


@dataclasses.dataclass(frozen=True)
class ModelCost:
    """The cost of a model for one example.

    Attributes:
        kernels: Tuple of `KernelCost`.
        attention: Integer, FLOPs of the products between activations in
            attention. Masks do not reduce them.
        other_parameters: Integer, the parameters of biases and normalization.
    """

    kernels: tuple
    attention: int
    other_parameters: int

    def flops(self, convention: str = "macs2", dense: bool = False) -> int:
        """Returns the FLOPs of one forward pass.

        Args:
            convention: `"macs2"` or `"micronet"`.
            dense: Boolean, whether to count the dense model.
        """
        return self.attention + sum(
            kernel.flops(convention, dense) for kernel in self.kernels
        )

    def parameters(self, dense: bool = False) -> int:
        """Returns the number of active parameters, including biases.

        Args:
            dense: Boolean, whether to count the dense model.
        """
        return self.other_parameters + sum(
            kernel.size if dense else kernel.active for kernel in self.kernels
        )

    def recount(self, model: keras.Model) -> Self:
        """Returns the cost of the same model with its current masks."""
        active = {
            kernel.name: int(kernel.count())
            for kernel in sparse_wrapper.sparse_kernels(model)
        }
        return dataclasses.replace(
            self,
            kernels=tuple(
                dataclasses.replace(
                    cost, active=active.get(cost.name, cost.active)
                )
                for cost in self.kernels
            ),
        )

    def ratio(self, convention: str = "macs2") -> float:
        """Returns the FLOPs relative to the dense model, a float."""
        return self.flops(convention) / self.flops(convention, dense=True)


def inference(
    model: keras.Model,
    input_shape: Shape | Sequence[Shape] | Mapping[str, Shape] | None = None,
) -> ModelCost:
    """Counts the FLOPs and parameters of one forward pass of a model.

    It warns of kernels that it cannot count.

    Args:
        model: A built `keras.Model`, sparse or dense.
        input_shape: Tuple without the batch, or a structure of tuples. Needed
            if the input shape of the model is unknown or has open dimensions.

    Returns:
        `ModelCost`.

    Raises:
        ValueError: If the input shape is not fully known.

    Example:

    >>> cost = rigl_tf.flops.inference(network)
    >>> cost.flops()  # 2 * (4 * 8 + 8 * 3)
    112
    """
    network = network_of(model)
    kernels = sparse_wrapper.sparse_kernels(
        network
    ) or sparse_wrapper.sparse_kernels(model)
    masked = {id(kernel.source): kernel for kernel in kernels}
    changed = {
        id(layer): layer
        for layer in _keras_compat.all_layers(network)
        if getattr(layer, "quantization_mode", None)
        or getattr(layer, "lora_enabled", False)
    }
    costs = {}
    attention = 0
    for call in layer_calls.record(network, input_shape):
        if isinstance(call.layer, _ATTENTION):
            attention += _attention_flops(call.layer, call.inputs)
        if id(call.layer) in changed:
            continue
        try:
            kernel_uses = list(_kernel_uses(call))
        except TypeError as error:  # a dimension is `None`
            raise ValueError(
                f"FLOPs need full shapes. Received: {call.name!r} with input "
                f"shapes {call.inputs} and output shape {call.outputs}. Use "
                "fixed dimensions instead of `None`."
            ) from error
        for variable, owner, uses, same_uses, per_use in kernel_uses:
            kernel = masked.get(id(variable))
            label = kernel.name if kernel else f"{call.name}/{variable.name}"
            before = costs.get(id(variable))
            costs[id(variable)] = KernelCost(
                name=label,
                shape=tuple(variable.shape),
                active=int(kernel.count())
                if kernel
                else math.prod(variable.shape),
                # The uses of a shared layer add up over its calls.
                uses=uses + (before.uses if before else 0),
                same_uses=same_uses + (before.same_uses if before else 0),
                outputs=per_use,
                sparse=kernel is not None,
            )
    counted = costs.keys() | {
        id(kernel.variable) for kernel in kernels if id(kernel.source) in costs
    }
    others = [v for v in _parameters(network) if id(v) not in counted]
    unknown = [
        v.path for v in others if v.name.endswith("kernel") or id(v) in masked
    ]
    unknown += [layer.path for layer in changed.values()]
    if unknown:
        warnings.warn(
            f"The FLOPs of {', '.join(unknown)} are not counted, because the "
            "number of uses is unknown. Layers of `keras.layers` are counted, "
            "except `ConvLSTM`, custom cells, and those that Keras has "
            "quantized or given LoRA: count these before.",
            stacklevel=2,
        )
    num_others = sum(math.prod(variable.shape) for variable in others)
    return ModelCost(tuple(costs.values()), attention, num_others)


def training(
    method: str | algorithms.Algorithm,
    sparse: float,
    dense: float,
    interval: int = 100,
) -> float:
    """Returns the FLOPs of training on one example, averaged over steps.

    Args:
        method: `Algorithm`, a registered name, or `"dense"`.
        sparse: Number, FLOPs of a forward pass of the sparse model: f_s. If
            the sparsity varies, the average over training: E[f_{s,t}].
        dense: Number, FLOPs of a forward pass of the dense model: f_d.
        interval: Integer, steps between two updates: Delta T.

    Returns:
        Float.

    Raises:
        TypeError: If `method` is no algorithm.
        ValueError: If a name is unknown or a number is out of range.

    Reference:
        [Sundar & Dwaraknath, 2021](https://arxiv.org/abs/2103.15767),
        appendix B.2.
    """
    check_number("sparse", sparse, "[0, inf)")
    check_number("dense", dense, "[0, inf)")
    check_count("interval", interval)
    if isinstance(method, str) and method == "dense":
        return 3.0 * dense
    method = as_algorithm(method)
    if method.follows_sparsity and not method.regrows:
        return 3.0 * sparse  # it uses gradients of active connections only
    if method.tracks_gradient:
        return 2.0 * sparse + dense
    if method.needs_gradient:
        return (3 * interval * sparse + 2 * sparse + dense) / (interval + 1)
    return 3.0 * sparse


def _check_convention(convention):
    if convention not in CONVENTIONS:
        raise ValueError(
            f"`convention` must be one of {CONVENTIONS}. "
            f"Received: convention={convention!r}."
        )


def _parameters(network):
    """Returns the trainable variables, including those in frozen layers."""
    parameters = {
        id(variable): variable
        for layer in _keras_compat.all_layers(network)
        for variable in _keras_compat.own_trainable_variables(layer)
    }
    return parameters.values()


def _kernel_uses(call):
    """Counts the uses of each kernel in a call of a layer.

    Yields:
        The variable, its layer, the number of uses of each weight, the number
        of uses with "same" padding, and the outputs of one use.
    """
    layer, outputs = call.layer, call.outputs
    if isinstance(layer, kl.RNN):
        steps = call.inputs[0][1]
        for cell in getattr(layer.cell, "cells", [layer.cell]):
            if isinstance(cell, _CELLS):
                for variable in (cell.kernel, cell.recurrent_kernel):
                    yield variable, cell, steps, steps, variable.shape[-1]
    elif isinstance(layer, kl.Embedding):
        yield layer.embeddings, layer, 0, 0, 0  # looked up, not multiplied
    elif isinstance(layer, kl.EinsumDense):
        per_use = kernel_layout.layout_for(layer, layer.kernel.shape).outputs
        uses = math.prod(outputs) // per_use
        yield layer.kernel, layer, uses, uses, per_use
    elif isinstance(layer, kl.Dense):
        uses = math.prod(outputs) // layer.units
        yield layer.kernel, layer, uses, uses, layer.units
    elif isinstance(layer, _TRANSPOSED):
        uses = _positions(layer, call.inputs[0])
        yield layer.kernel, layer, uses, uses, layer.filters
    elif isinstance(layer, layer_calls.CONVOLUTIONS):
        yield from _convolution_uses(layer, call.bare[0], outputs)


def _convolution_uses(layer, inputs, outputs):
    uses = _positions(layer, outputs)
    same = inputs[0] * math.prod(
        # The original authors compute the side of an output in this way.
        math.ceil((side - k + 1 + 2 * (k // 2)) / stride)
        for side, k, stride in zip(
            _spatial(layer, inputs),
            layer.kernel_size,
            layer.strides,
            strict=True,
        )
    )
    if isinstance(layer, kl.SeparableConv1D | kl.SeparableConv2D):
        depthwise, pointwise = layer.depthwise_kernel, layer.pointwise_kernel
        channels = math.prod(depthwise.shape[-2:])
        yield depthwise, layer, uses, same, channels
        yield pointwise, layer, uses, same, pointwise.shape[-1]
    elif isinstance(layer, kl.DepthwiseConv1D | kl.DepthwiseConv2D):
        channels = math.prod(layer.kernel.shape[-2:])
        yield layer.kernel, layer, uses, same, channels
    else:
        yield layer.kernel, layer, uses, same, layer.filters


def _spatial(layer, shape):
    if layer.data_format == "channels_first":
        return shape[2:]
    return shape[1:-1]


def _positions(layer, shape):
    """Counts the positions in a batch, which is 1 unless a layer folds it."""
    return shape[0] * math.prod(_spatial(layer, shape))


def _attention_flops(layer, inputs):
    """Counts the products of queries with keys, and weights with values."""
    query, value = inputs[0], inputs[1] if len(inputs) > 1 else inputs[0]
    pairs = math.prod(query[:-1]) * math.prod(value[1:-1])
    if isinstance(layer, kl.Attention):  # without kernels
        return 2 * pairs * (query[-1] + value[-1])
    heads = getattr(layer, "num_heads", None) or layer.num_query_heads
    key_dim = getattr(layer, "key_dim", None) or layer.head_dim
    value_dim = getattr(layer, "value_dim", None) or key_dim
    return 2 * heads * pairs * (key_dim + value_dim)
