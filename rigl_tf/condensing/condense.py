"""From a sparse model to one that reads only what its neurons need."""

import keras
import numpy as np
from keras import layers as kl

from rigl_tf._keras_compat import made_again
from rigl_tf.condensing.layer import Condensed
from rigl_tf.exporting import measuring
from rigl_tf.exporting import signatures
from rigl_tf.exporting import unwrapping
from rigl_tf.modeling.convert import densified

MOST = 0.25
"""The most of a layer's inputs that a neuron may have, to be condensed."""
TOLERANCE = 1e-5
"""The most that an output may differ, relative to the largest output."""


def condense(model, samples=None):
    """Replaces Dense layers by `Condensed` ones, for inference.

    A layer is replaced if no neuron has more than a quarter of its inputs.
    Neurons with fewer than the others are filled up with zeros, so that it
    fits best what `granularity.ConstantFanIn` has trained; first
    `rigl_tf.shrink` the model if neurons were ablated.

    Args:
        model: `SparseModel`, a model with `Sparse` layers, or a plain
            Sequential or functional one.
        samples: Array of examples, or a list of them for several inputs, to
            compare outputs with. By default, random ones.

    Returns:
        `keras.Model`, not compiled. Loading it from a file needs `rigl_tf`.

    Raises:
        TypeError: If the model is a subclassed one.
        ValueError: If there is no layer to replace, or the model would not
            compute the same.
    """
    network = unwrapping.network(model)
    if unwrapping.is_subclassed(model):
        raise TypeError(
            f"{network.name!r} is a subclassed model, whose layers cannot be "
            f"replaced from outside. Received: model={model!r}. Use "
            "`rigl_tf.condensing.Condensed` where they are made."
        )
    # Before anything is made of the model, which may share its weights.
    inputs = measuring.samples(network, samples)
    expected = measuring.outputs(
        model, inputs, signatures.model_signature(network)
    )
    with densified(model) as plain:
        copies = []

        def copy(layer):
            if not isinstance(layer, keras.Layer):
                return layer  # such as a sum of tensors
            copied, weights = _condensed(layer)
            copies.append((copied, layer, weights))
            return copied

        with unwrapping.uncompiled(plain):
            clone = keras.models.clone_model(
                plain, clone_function=copy, recursive=True
            )
        if not any(isinstance(copied, Condensed) for copied, _, _ in copies):
            raise ValueError(
                f"{network.name!r} has no Dense layer whose neurons all have "
                f"at most {MOST:.0%} of its inputs. Train it sparser, with "
                "`granularity=rigl_tf.granularity.ConstantFanIn()`."
            )
        for copied, layer, weights in copies:
            unwrapping.fill(copied, layer, weights)
        difference = measuring.difference_by_name(
            expected, measuring.outputs(clone, inputs)
        )
        if not difference <= TOLERANCE:
            raise ValueError(
                f"{network.name!r} cannot be condensed: outputs differ by "
                f"{difference:.1e} of the largest."
            )
        return clone


def _condensed(layer):
    """A copy of a layer, condensed if it can be, and its weights."""
    weights = layer.get_weights()
    if type(layer) is kl.Dense and layer.dtype == "float32":
        kernel, *bias = weights
        fan_in = max(int(np.count_nonzero(kernel, axis=0).max()), 1)
        if fan_in <= MOST * len(kernel):
            copied = Condensed(
                layer.units,
                fan_in,
                layer.activation,
                layer.use_bias,
                name=layer.name,
            )
            return copied, [*_listed(kernel, fan_in, bias)]
    return made_again(layer, layer.get_config()), weights


def _listed(kernel, fan_in, bias):
    """The weights of a `Condensed` layer, in Keras's order."""
    # Zeros last, others in the order of the inputs.
    order = np.argsort(kernel == 0, axis=0, kind="stable")[:fan_in]
    values = np.take_along_axis(kernel, order, axis=0)
    yield values.T
    yield from bias
    yield order.T.astype("int32")
