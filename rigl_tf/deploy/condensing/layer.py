"""Dense layer with a constant fan-in, for inference."""

from typing import Any

import keras
import tensorflow as tf

from rigl_tf.utils.validation import check_count


@keras.saving.register_keras_serializable("rigl_tf")
class Condensed(keras.layers.Layer):
    """A Dense layer that stores the few active inputs of each neuron.

    For inference; fastest for single examples. With `rigl_tf[fast]`, the
    product is compiled for the CPU. Without it, the layer uses TensorFlow
    operations, which are slower.

    Args:
        units: Integer, neurons.
        fan_in: Integer, inputs of each neuron.
        activation: As in `keras.layers.Dense`.
        use_bias: Boolean, whether the layer has a bias.

    Reference:
        [Lasby et al., 2024](https://arxiv.org/abs/2305.02299), section 4.4.
    """

    def __init__(self, units, fan_in, activation=None, use_bias=True, **kwargs):
        super().__init__(**kwargs)
        check_count("units", units)
        check_count("fan_in", fan_in)
        self.units = units
        self.fan_in = fan_in
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.supports_jit = False
        self.supports_masking = True

    def build(self, input_shape):
        del input_shape
        shape = (self.units, self.fan_in)
        self.values = self.add_weight(name="values", shape=shape)
        self.inputs_of = self.add_weight(
            name="inputs_of",
            shape=shape,
            dtype="int32",
            initializer="zeros",
            trainable=False,
        )
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(self.units,), initializer="zeros"
            )

    def call(self, inputs):
        before = tf.shape(inputs)[:-1]
        x = tf.reshape(inputs, (-1, inputs.shape[-1]))
        y: Any = _condensed_matmul(
            x,
            tf.convert_to_tensor(self.values),
            tf.convert_to_tensor(self.inputs_of),
        )
        y = tf.reshape(y, tf.concat([before, [self.units]], axis=0))
        y.set_shape(self.compute_output_shape(inputs.shape))
        if self.use_bias:
            y += self.bias
        return self.activation(y)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def get_config(self):
        return super().get_config() | {
            "units": self.units,
            "fan_in": self.fan_in,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
        }


@tf.custom_gradient
def _condensed_matmul(x, values, inputs_of):
    try:
        # Imported late: it takes a second, and needs `rigl_tf[fast]`.
        from rigl_tf.deploy.condensing import numba_matmul
    except ImportError:
        y = _by_gathering(x, values, inputs_of)
    else:
        y = numba_matmul.condensed_matmul(x, values, inputs_of)
    return y, _raise_no_gradient


def _by_gathering(x, values, inputs_of):
    """Computes one example after another, because gathering takes memory."""
    return tf.map_fn(
        lambda row: tf.reduce_sum(tf.gather(row, inputs_of) * values, axis=-1),
        x,
    )


def _raise_no_gradient(*_):
    raise NotImplementedError(
        "Condensed layers do not train. Train the model from which they were "
        "condensed, and condense it again."
    )
