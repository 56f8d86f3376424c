"""Attention whose products store only their active connections."""

import keras
import numpy as np
from keras import layers as kl

from rigl_tf._keras_compat import children
from rigl_tf._keras_compat import made_again
from rigl_tf.kernels.sparse_layers import Active
from rigl_tf.kernels.sparse_layers import dense_copy
from rigl_tf.kernels.sparse_layers import store_active


@keras.saving.register_keras_serializable(package="rigl_tf")
class ActiveMultiHeadAttention(kl.MultiHeadAttention):
    """A MultiHeadAttention layer with `Active` layers inside.

    Args:
        stored: Dictionary from the name of a layer inside, such as `"query"`,
            to a pair: the most units that can be active, and the shape of a
            unit's weights.
    """

    def __init__(self, *args, stored, **kwargs):
        super().__init__(*args, **kwargs)
        self._stored = stored

    def build(self, query_shape, value_shape, key_shape=None):
        super().build(query_shape, value_shape, key_shape)
        for part in children(self):
            if part.name in self._stored:
                capacity, unit = self._stored[part.name]
                active = np.arange(capacity, dtype="int32")
                store_active(part, capacity, active, unit)

    def get_config(self):
        stored = {
            part.name: (part.capacity, part.unit)
            for part in children(self)
            if isinstance(part, Active)
        }
        return {**super().get_config(), "stored": stored}

    def plain_config(self):
        """The configuration of the Keras layer that this one comes from."""
        return super().get_config()


def parts_of_attention(layer):
    """Returns the layers inside a layer of Keras that can be `Active`."""
    return children(layer) if type(layer) is kl.MultiHeadAttention else []


def adopt_active_parts(layer):
    """Makes a MultiHeadAttention layer remember its `Active` layers."""
    if any(isinstance(part, Active) for part in parts_of_attention(layer)):
        layer.__class__ = ActiveMultiHeadAttention


def dense_attention(layer):
    """Returns a plain copy of an `ActiveMultiHeadAttention`."""
    copy = made_again(layer, layer.plain_config(), kl.MultiHeadAttention)
    copy.build_from_config(layer.get_build_config())
    for part, other in zip(children(layer), children(copy), strict=True):
        if isinstance(part, Active):
            part = dense_copy(part)
        other.set_weights(part.get_weights())
    copy.trainable = layer.trainable
    return copy
