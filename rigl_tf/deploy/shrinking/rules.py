"""What operations do to channels: with constants, with what is needed.

Constants of a tensor are an array with a number for each channel that is the
same for all examples and at all positions, and NaN for the others. All arrays
of a tensor are along its last axis.
"""

import keras
import numpy as np
from keras import layers as kl

from rigl_tf.deploy.shrinking import layer_graph


class Rule:
    """What one call does to channels.

    This one is of operations that nothing is known about: what they take and
    give stays as it is.

    Args:
        call: `graph.Call`.
    """

    pins = True  # whether every channel that it gives must stay

    def __init__(self, call):
        self.call = call
        self.layer = call.operation

    def constants(self, constants):
        """Constants of the output, from a list of those of the inputs."""
        del constants
        return np.full(self.call.num_channels or 1, np.nan)

    def needed(self, needed):
        """For each input, which of its channels matter to the needed ones.

        Args:
            needed: Boolean array, the channels of the output that matter.

        Returns:
            List of boolean arrays.
        """
        del needed
        return [
            np.ones(layer_graph.num_channels(tensor) or 1, bool)
            for tensor in self.call.inputs
        ]

    def ties(self):
        """For each input, the channel that each of the output goes with.

        Channels that go together are kept together.

        Returns:
            List of integer arrays with -1 for none, or of `None` for none at
            all.
        """
        return [None] * len(self.call.inputs)

    def config(self, keep):
        """Settings of the layer that change if only some channels are kept."""
        del keep
        return {}

    def weights(self, keep_inputs, keep):
        """Arrays for the copy of the layer, in Keras's order.

        Args:
            keep_inputs: List of boolean arrays, channels kept of each input.
            keep: Boolean array, those kept of the output.

        Returns:
            List of arrays.
        """
        del keep_inputs, keep
        weights = getattr(self.layer, "weights", [])
        return [keras.ops.convert_to_numpy(weight) for weight in weights]


class Elementwise(Rule):
    """Computes every channel from the same channel of all inputs."""

    pins = False

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
        found = self.layer(*arguments, **kwargs)
        found = keras.ops.convert_to_numpy(found).reshape(-1).astype(float)
        return np.where(np.isnan(sum(constants)), np.nan, found)

    def needed(self, needed):
        return [needed] * len(self.call.inputs)

    def ties(self):
        return [np.arange(self.call.num_channels)] * len(self.call.inputs)

    def weights(self, keep_inputs, keep):
        return [w[..., keep] for w in super().weights(keep_inputs, keep)]


class Normalization(Elementwise):
    """Batch normalization, which a gamma of zero makes constant."""

    def constants(self, constants):
        (values,) = constants
        if self.layer.scale:
            gamma = keras.ops.convert_to_numpy(self.layer.gamma)
            values = np.where(gamma == 0, 0.0, values)
        return super().constants([values])


class Product(Elementwise):
    """A product, which a zero makes zero."""

    def constants(self, constants):
        found = super().constants(constants)
        zero = np.any([values == 0 for values in constants], axis=0)
        return np.where(zero, 0.0, found)


class Unchanged(Elementwise):
    """Moves positions about, or takes means or maxima of them."""

    def constants(self, constants):
        return constants[0]


class Padding(Elementwise):
    """Adds positions of zeros."""

    def constants(self, constants):
        return np.where(constants[0] == 0, 0.0, np.nan)


class Concatenation(Rule):
    """Puts the channels of its inputs one after the other."""

    pins = False

    def __init__(self, call):
        super().__init__(call)
        counts = [layer_graph.num_channels(tensor) for tensor in call.inputs]
        self._places = np.split(
            np.arange(call.num_channels), np.cumsum(counts)[:-1]
        )

    def constants(self, constants):
        return np.concatenate(constants)

    def needed(self, needed):
        return [needed[places] for places in self._places]

    def ties(self):
        ties = []
        for places in self._places:
            tie = np.full(self.call.num_channels, -1)
            tie[places] = np.arange(len(places))
            ties.append(tie)
        return ties


class Flattening(Rule):
    """Makes channels of positions too, so that a channel becomes several."""

    pins = False

    def _times(self):
        return self.call.num_channels // layer_graph.num_channels(
            self.call.inputs[0]
        )

    def constants(self, constants):
        return np.tile(constants[0], self._times())

    def needed(self, needed):
        return [needed.reshape(self._times(), -1).any(axis=0)]

    def ties(self):
        channels = layer_graph.num_channels(self.call.inputs[0])
        return [np.tile(np.arange(channels), self._times())]

    def config(self, keep):
        if not isinstance(self.layer, kl.Reshape):
            return {}
        shape = self.call.outputs[0].shape[1:-1]
        return {"target_shape": (*shape, int(keep.sum()))}
