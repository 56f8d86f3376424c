"""Rules that propagate constant and needed channels through operations.

The constants of a tensor are an array with one number per channel: the value of
a channel that is the same for all examples and positions, or NaN for any other
channel. All arrays of a tensor are along its last axis.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers as kl

from rigl_tf.deploy.shrinking import layer_graph


class ChannelRule:
    """Relates the input channels of one call to its output channels.

    This base class is the rule for unknown operations: all channels of their
    inputs and outputs are kept.

    Args:
        call: `layer_graph.Call`.
    """

    keeps_all = True  # whether all output channels must be kept

    def __init__(self, call):
        self.call = call
        self.layer = call.operation

    def constants(self, constants):
        """Returns the constants of the output from a list for the inputs."""
        del constants
        return np.full(self.call.num_channels or 1, np.nan)

    def needed(self, needed):
        """Returns which input channels affect the needed output channels.

        Args:
            needed: Boolean array, the output channels that are needed.

        Returns:
            List of boolean arrays, one for each input.
        """
        del needed
        return [
            np.ones(layer_graph.num_channels(tensor) or 1, bool)
            for tensor in self.call.inputs
        ]

    def channel_coupling(self) -> Sequence[np.ndarray | None]:
        """Returns the input channel that each output channel is coupled to.

        Coupled channels are kept together.

        Returns:
            List with one entry for each input: an integer array, with -1 for
            output channels that are not coupled to it, or `None` if no
            channels are coupled.
        """
        return [None] * len(self.call.inputs)

    def config(self, keep: np.ndarray) -> dict[str, Any]:
        """Returns the layer arguments that change for the kept channels."""
        del keep
        return {}

    def weights(self, keep_inputs, keep):
        """Returns the weights of the smaller layer, in Keras's order.

        Args:
            keep_inputs: List of boolean arrays, the kept channels of each
                input.
            keep: Boolean array, the kept channels of the output.

        Returns:
            List of arrays.
        """
        del keep_inputs, keep
        weights = getattr(self.layer, "weights", [])
        return [keras.ops.convert_to_numpy(weight) for weight in weights]


class Elementwise(ChannelRule):
    """Computes every channel from the same channel of all inputs."""

    keeps_all = False

    def constants(self, constants):
        rank = len(self.call.outputs[0].shape)
        filled = {
            id(tensor): keras.ops.convert_to_tensor(
                np.nan_to_num(values).reshape((1,) * (rank - 1) + (-1,)),
                tensor.dtype,
            )
            for tensor, values in zip(self.call.inputs, constants, strict=True)
        }
        arguments, kwargs = self.call.arguments.fill_in(filled)
        output = self.layer(*arguments, **kwargs)
        output = keras.ops.convert_to_numpy(output).reshape(-1).astype(float)
        return np.where(np.isnan(sum(constants)), np.nan, output)

    def needed(self, needed):
        return [needed] * len(self.call.inputs)

    def channel_coupling(self):
        return [np.arange(self.call.num_channels)] * len(self.call.inputs)

    def weights(self, keep_inputs, keep):
        return [w[..., keep] for w in super().weights(keep_inputs, keep)]


class Normalization(Elementwise):
    """Batch normalization; constant where gamma is zero."""

    def constants(self, constants):
        (values,) = constants
        if self.layer.scale:
            gamma = keras.ops.convert_to_numpy(self.layer.gamma)
            values = np.where(gamma == 0, 0.0, values)
        return super().constants([values])


class Multiplication(Elementwise):
    """Elementwise product; zero where a factor is zero."""

    def constants(self, constants):
        product = super().constants(constants)
        is_zero = np.any([values == 0 for values in constants], axis=0)
        return np.where(is_zero, 0.0, product)


class Unchanged(Elementwise):
    """Selects, averages or maximizes over positions; keeps constants."""

    def constants(self, constants):
        return constants[0]


class Padding(Elementwise):
    """Pads with zeros."""

    def constants(self, constants):
        return np.where(constants[0] == 0, 0.0, np.nan)


class Concatenation(ChannelRule):
    """Concatenates the channels of its inputs."""

    keeps_all = False

    def __init__(self, call):
        super().__init__(call)
        counts = [layer_graph.num_channels(x) or 1 for x in call.inputs]
        self._ranges = np.split(
            np.arange(call.num_channels), np.cumsum(counts)[:-1]
        )

    def constants(self, constants):
        return np.concatenate(constants)

    def needed(self, needed):
        return [needed[channels] for channels in self._ranges]

    def channel_coupling(self):
        couplings = []
        for channels in self._ranges:
            coupling = np.full(self.call.num_channels, -1)
            coupling[channels] = np.arange(len(channels))
            couplings.append(coupling)
        return couplings


class Flattening(ChannelRule):
    """Turns positions into channels, so that one channel becomes several."""

    keeps_all = False

    def _num_positions(self):
        return self.call.num_channels // layer_graph.num_channels(
            self.call.inputs[0]
        )

    def constants(self, constants):
        return np.tile(constants[0], self._num_positions())

    def needed(self, needed):
        return [needed.reshape(self._num_positions(), -1).any(axis=0)]

    def channel_coupling(self):
        channels = layer_graph.num_channels(self.call.inputs[0]) or 1
        return [np.tile(np.arange(channels), self._num_positions())]

    def config(self, keep):
        if not isinstance(self.layer, kl.Reshape):
            return {}
        shape = self.call.outputs[0].shape[1:-1]
        return {"target_shape": (*shape, int(keep.sum()))}
