"""Rules of layers with a kernel: what reaches which output, and how much."""

import keras
import numpy as np
from keras import layers as kl

from rigl_tf.deploy.shrinking.rules import Rule

# The activations that compute every channel by itself.
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
    """Whether an activation is known to mix no channels."""
    name = getattr(activation, "__name__", None)
    return name in _ELEMENTWISE and activation is keras.activations.get(name)


class Linear(Rule):
    """A linear map with a bias and an activation.

    A constant that comes in is folded into the bias, unless the map pads with
    zeros: then what comes out is another at the borders.
    """

    def __init__(self, call):
        super().__init__(call)
        self.pins = not is_elementwise(self.layer.activation)
        self.reach, self.gain = self._map()
        self._folded = np.zeros(len(self.reach))  # constants, or zero
        self._folds = np.zeros(len(self.reach), bool)

    def constants(self, constants):
        known = ~np.isnan(constants[0])
        self._folds = known & ((constants[0] == 0) | (not self._pads()))
        self._folded = np.where(self._folds, constants[0], 0.0)
        bias = self._bias()
        reached = self.reach[~self._folds].any(axis=0)
        if self.pins:
            return np.full(len(bias), np.nan)
        given = self.layer.activation(keras.ops.convert_to_tensor(bias))
        given = keras.ops.convert_to_numpy(given).astype(float)
        return np.where(reached, np.nan, given)

    def needed(self, needed):
        return [~self._folds & self.reach[:, needed].any(axis=1)]

    def config(self, keep):
        changed = {self.size: int(keep.sum())}
        if self._bias().any():
            changed["use_bias"] = True
        return changed

    def weights(self, keep_inputs, keep):
        kernels = self._kernels(keep_inputs[0], keep)
        bias = self._bias()
        if self.layer.bias is not None or bias.any():
            kernels.append(bias[keep].astype(kernels[0].dtype))
        return kernels

    size = "filters"  # the setting that says how many channels come out

    def _bias(self):
        """The layer's and what is folded into it, in float32."""
        own = 0.0
        if self.layer.bias is not None:
            own = keras.ops.convert_to_numpy(self.layer.bias).astype(float)
        return (own + self._folded @ self.gain).astype("float32")

    def _array(self, name):
        return keras.ops.convert_to_numpy(getattr(self.layer, name))

    def _pads(self):
        """Whether zeros stand around what comes in."""
        window = np.max(getattr(self.layer, "kernel_size", 1))
        return window > 1 and self.layer.padding != "valid"

    def _map(self):
        """Whether an input reaches an output; what a one makes of it."""
        raise NotImplementedError

    def _kernels(self, keep_input, keep):
        raise NotImplementedError


class Kernel(Linear):
    """Dense, and convolutions of all inputs."""

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
        stack[:, self._folds] = 0
        kept = stack[:, keep_input][:, :, keep]
        order = [0, 2, 1] if self._transposed() else [0, 1, 2]
        kept = kept.transpose(order)
        return [kept.reshape(*kernel.shape[:-2], *kept.shape[1:])]

    def _stack(self, kernel):
        """A view of shape (taps, inputs, outputs)."""
        stack = kernel.reshape(-1, *kernel.shape[-2:])
        return stack.swapaxes(1, 2) if self._transposed() else stack

    def _transposed(self):
        return isinstance(
            self.layer,
            kl.Conv1DTranspose | kl.Conv2DTranspose | kl.Conv3DTranspose,
        )

    def _pads(self):
        # What a transposed convolution gives differs from place to place.
        return self._transposed() or super()._pads()


class Einsum(Kernel):
    """An EinsumDense over the last dimension alone."""

    def config(self, keep):
        *others, _ = self.layer.partial_output_shape
        changed = {"output_shape": (*others, int(keep.sum()))}
        if self._bias().any():
            changed["bias_axes"] = self.layer.equation[-1]
        return changed


class Depthwise(Linear):
    """A convolution of every channel by itself, into one or several."""

    def ties(self):
        times = self._array("kernel").shape[-1]
        return [np.repeat(np.arange(len(self.reach)), times)]

    def config(self, keep):
        return {n: v for n, v in super().config(keep).items() if n != self.size}

    def _map(self):
        kernel = self._array("kernel")
        *_, inputs, times = kernel.shape
        taps = kernel.reshape(-1, inputs, times)
        reach = np.zeros((inputs, inputs, times), bool)
        gain = np.zeros((inputs, inputs, times))
        each = np.arange(inputs)
        reach[each, each] = (taps != 0).any(axis=0)
        gain[each, each] = taps.sum(axis=0, dtype=float)
        return reach.reshape(inputs, -1), gain.reshape(inputs, -1)

    def _kernels(self, keep_input, keep):
        kernel = self._array("kernel").copy()
        kernel[..., self._folds, :] = 0
        return [kernel[..., keep_input, :]]


class Separable(Linear):
    """A depthwise convolution without a bias, then one of single pixels."""

    def _map(self):
        depthwise, pointwise = self._both()
        taps = depthwise.reshape(-1, *depthwise.shape[-2:])
        one = (taps != 0).any(axis=0)[..., None] & (pointwise != 0)
        gain = taps.sum(axis=0, dtype=float)[..., None] * pointwise
        return one.any(axis=1), gain.sum(axis=1)

    def _kernels(self, keep_input, keep):
        depthwise, pointwise = self._both()
        depthwise[..., self._folds, :] = 0
        pointwise = pointwise[keep_input][..., keep]
        ones = (1,) * (depthwise.ndim - 2)
        return [
            depthwise[..., keep_input, :],
            pointwise.reshape(*ones, -1, pointwise.shape[-1]),
        ]

    def _both(self):
        """The depthwise kernel, and the other as (inputs, times, outputs)."""
        depthwise = self._array("depthwise_kernel").copy()
        pointwise = self._array("pointwise_kernel")
        return depthwise, pointwise.reshape(
            *depthwise.shape[-2:], pointwise.shape[-1]
        )
