"""Channel rules of layers with a kernel."""

from typing import Any

import keras
import numpy as np
from keras import layers as kl

from rigl_tf.deploy.shrinking.rules import ChannelRule

# The activations that compute every channel independently.
_ELEMENTWISE = {
    "celu",
    "elu",
    "exponential",
    "gelu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softplus",
    "softsign",
    "sparse_plus",
    "squareplus",
    "tanh",
    "tanh_shrink",
    "threshold",
}


def is_elementwise(activation):
    """Returns whether an activation is known to mix no channels."""
    name = getattr(activation, "__name__", None)
    return name in _ELEMENTWISE and activation is keras.activations.get(name)


class Linear(ChannelRule):
    """A linear map with a bias and an activation.

    A constant input is folded into the bias, unless the map pads with zeros:
    then its contribution differs at the borders.

    Attributes:
        connectivity: Boolean array of shape (inputs, outputs), whether an
            input channel is connected to an output channel.
        response: Float array of shape (inputs, outputs), the output for an
            input of ones, without the bias.
    """

    def __init__(self, call):
        super().__init__(call)
        self.keeps_all = not is_elementwise(self.layer.activation)
        self.connectivity, self.response = self._map()
        self._folded = np.zeros(len(self.connectivity))  # constants, or zero
        self._is_folded = np.zeros(len(self.connectivity), bool)

    def constants(self, constants):
        known = ~np.isnan(constants[0])
        self._is_folded = known & ((constants[0] == 0) | (not self._pads()))
        self._folded = np.where(self._is_folded, constants[0], 0.0)
        bias = self._bias()
        is_connected = self.connectivity[~self._is_folded].any(axis=0)
        if self.keeps_all:
            return np.full(len(bias), np.nan)
        outputs = self.layer.activation(keras.ops.convert_to_tensor(bias))
        outputs = keras.ops.convert_to_numpy(outputs).astype(float)
        return np.where(is_connected, np.nan, outputs)

    def needed(self, needed):
        return [~self._is_folded & self.connectivity[:, needed].any(axis=1)]

    def config(self, keep: np.ndarray) -> dict[str, Any]:
        changed: dict[str, Any] = {self.size: int(keep.sum())}
        if self._bias().any():
            changed["use_bias"] = True
        return changed

    def weights(self, keep_inputs, keep):
        kernels = self._kernels(keep_inputs[0], keep)
        bias = self._bias()
        if self.layer.bias is not None or bias.any():
            kernels.append(bias[keep].astype(kernels[0].dtype))
        return kernels

    size = "filters"  # the layer's argument for its number of channels

    def _bias(self):
        """Returns the bias with the folded constants, in float32."""
        bias = 0.0
        if self.layer.bias is not None:
            bias = keras.ops.convert_to_numpy(self.layer.bias).astype(float)
        return (bias + self._folded @ self.response).astype("float32")

    def _array(self, name):
        return keras.ops.convert_to_numpy(getattr(self.layer, name))

    def _pads(self):
        """Returns whether the input is padded with zeros."""
        window = np.max(getattr(self.layer, "kernel_size", 1))
        return window > 1 and self.layer.padding != "valid"

    def _map(self):
        """Returns the arrays `connectivity` and `response`."""
        raise NotImplementedError

    def _kernels(self, keep_input, keep):
        raise NotImplementedError


class Kernel(Linear):
    """Dense layers, and convolutions over all input channels."""

    def __init__(self, call):
        super().__init__(call)
        if isinstance(self.layer, kl.Dense):
            self.size = "units"

    def _map(self):
        stack = self._stack(self._array("kernel"))
        return (stack != 0).any(axis=0), stack.sum(axis=0, dtype=float)

    def _kernels(self, keep_input, keep):
        kernel = self._array("kernel").copy()
        stack = self._stack(kernel)  # a view
        stack[:, self._is_folded] = 0
        kept = stack[:, keep_input][:, :, keep]
        order = [0, 2, 1] if self._transposed() else [0, 1, 2]
        kept = kept.transpose(order)
        return [kept.reshape(*kernel.shape[:-2], *kept.shape[1:])]

    def _stack(self, kernel):
        """Returns a view of shape (kernel positions, inputs, outputs)."""
        stack = kernel.reshape(-1, *kernel.shape[-2:])
        return stack.swapaxes(1, 2) if self._transposed() else stack

    def _transposed(self):
        return isinstance(
            self.layer,
            kl.Conv1DTranspose | kl.Conv2DTranspose | kl.Conv3DTranspose,
        )

    def _pads(self):
        # The output of a transposed convolution differs between positions.
        return self._transposed() or super()._pads()


class Einsum(Kernel):
    """EinsumDense over the last dimension only."""

    def config(self, keep: np.ndarray) -> dict[str, Any]:
        *others, _ = self.layer.partial_output_shape
        changed = {"output_shape": (*others, int(keep.sum()))}
        if self._bias().any():
            changed["bias_axes"] = self.layer.equation[-1]
        return changed


class Depthwise(Linear):
    """Depthwise convolution, with one or more outputs per channel."""

    def channel_coupling(self):
        multiplier = self._array("kernel").shape[-1]
        return [np.repeat(np.arange(len(self.connectivity)), multiplier)]

    def config(self, keep):
        return {n: v for n, v in super().config(keep).items() if n != self.size}

    def _map(self):
        kernel = self._array("kernel")
        *_, inputs, multiplier = kernel.shape
        positions = kernel.reshape(-1, inputs, multiplier)
        connectivity = np.zeros((inputs, inputs, multiplier), bool)
        response = np.zeros((inputs, inputs, multiplier))
        each = np.arange(inputs)
        connectivity[each, each] = (positions != 0).any(axis=0)
        response[each, each] = positions.sum(axis=0, dtype=float)
        return connectivity.reshape(inputs, -1), response.reshape(inputs, -1)

    def _kernels(self, keep_input, keep):
        kernel = self._array("kernel").copy()
        kernel[..., self._is_folded, :] = 0
        return [kernel[..., keep_input, :]]


class Separable(Linear):
    """Depthwise convolution without a bias, then a 1x1 convolution."""

    def _map(self):
        depthwise, pointwise = self._both()
        positions = depthwise.reshape(-1, *depthwise.shape[-2:])
        is_active = (positions != 0).any(axis=0)
        connectivity = is_active[..., None] & (pointwise != 0)
        response = positions.sum(axis=0, dtype=float)[..., None] * pointwise
        return connectivity.any(axis=1), response.sum(axis=1)

    def _kernels(self, keep_input, keep):
        depthwise, pointwise = self._both()
        depthwise[..., self._is_folded, :] = 0
        pointwise = pointwise[keep_input][..., keep]
        ones = (1,) * (depthwise.ndim - 2)
        return [
            depthwise[..., keep_input, :],
            pointwise.reshape(*ones, -1, pointwise.shape[-1]),
        ]

    def _both(self):
        """Returns the depthwise and the pointwise kernel.

        The pointwise kernel has shape (inputs, multiplier, outputs).
        """
        depthwise = self._array("depthwise_kernel").copy()
        pointwise = self._array("pointwise_kernel")
        return depthwise, pointwise.reshape(
            *depthwise.shape[-2:], pointwise.shape[-1]
        )
