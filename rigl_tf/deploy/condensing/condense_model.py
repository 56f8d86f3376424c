"""Replaces sparse Dense layers by `Condensed` layers."""

from typing import Any

import keras
import numpy as np
from keras import layers as kl

from rigl_tf._keras_compat import made_again
from rigl_tf.analysis import equivalence
from rigl_tf.analysis import signatures
from rigl_tf.deploy import unwrapping
from rigl_tf.deploy.condensing.layer import Condensed
from rigl_tf.modeling.convert import densified

MAX_DENSITY = 0.25
"""The largest fraction of inputs that a neuron of a condensed layer has."""
TOLERANCE = 1e-5
"""Largest difference of an output, relative to the largest output."""


def condense(model: keras.Model, samples: Any = None) -> keras.Model:
    """Replaces Dense layers by `Condensed` layers, for inference.

    A layer is replaced if no neuron is connected to more than a quarter of its
    inputs. Layers that compute in float16 or bfloat16, are quantized or have
    LoRA stay. Neurons with fewer connections than others are padded with zeros.
    Layers trained with `structures.ConstantFanIn` need no padding. If neurons
    were ablated, apply `rigl_tf.shrink` to the model first.

    Args:
        model: `SparseModel`, a model with `Sparse` layers, or a plain
            Sequential or functional one.
        samples: Array of examples, or a list of arrays for several inputs, on
            which outputs are compared. By default, random examples.

    Returns:
        `keras.Model`, not compiled. Loading it from a file needs `rigl_tf`.

    Raises:
        TypeError: If the model is subclassed.
        ValueError: If there is no layer to replace, or if the outputs of the
            condensed model differ.
    """
    network = unwrapping.network(model)
    if unwrapping.is_subclassed(model):
        raise TypeError(
            f"{network.name!r} is a subclassed model; its layers cannot be "
            f"replaced from outside. Received: model={model!r}. Use "
            "`rigl_tf.deploy.condensing.Condensed` in the code of its class."
        )
    # First, because the models made below may share the weights.
    inputs = equivalence.samples(network, samples)
    expected = equivalence.outputs(
        model, inputs, signatures.model_signature(network)
    )
    with densified(model) as plain:
        copies = []

        def copy(layer):
            if not isinstance(layer, keras.Layer):
                return layer  # such as a sum of tensors
            copied, weights = _condense_layer(layer)
            copies.append((copied, layer, weights))
            return copied

        with unwrapping.uncompiled(plain):
            clone = keras.models.clone_model(
                plain, clone_function=copy, recursive=True
            )
        if not any(isinstance(copied, Condensed) for copied, _, _ in copies):
            raise ValueError(
                f"{network.name!r} has no Dense layer that computes in float32 "
                f"and whose neurons all have at most {MAX_DENSITY:.0%} of its "
                "inputs. Train it sparser, with "
                "`structure=rigl_tf.structures.ConstantFanIn()`."
            )
        for copied, layer, weights in copies:
            unwrapping.fill(copied, layer, weights)
        difference = equivalence.difference_by_name(
            expected, equivalence.outputs(clone, inputs)
        )
        if not difference <= TOLERANCE:
            raise ValueError(
                f"{network.name!r} cannot be condensed: outputs differ by "
                f"{difference:.1e} of the largest output."
            )
        return clone


def _condense_layer(layer):
    """Returns a copy of a layer, condensed if possible, and its weights."""
    weights = layer.get_weights()
    if _is_float32_dense(layer):
        kernel, *bias = weights
        fan_in = max(int(np.count_nonzero(kernel, axis=0).max()), 1)
        if fan_in <= MAX_DENSITY * len(kernel):
            copied = Condensed(
                layer.units,
                fan_in,
                layer.activation,
                layer.use_bias,
                name=layer.name,
                dtype=layer.dtype_policy,
            )
            return copied, [*_condensed_weights(kernel, fan_in, bias)]
    return made_again(layer, layer.get_config()), weights


def _is_float32_dense(layer):
    return (
        type(layer) is kl.Dense
        and layer.compute_dtype == "float32"
        and not layer.quantization_mode
        and not layer.lora_enabled
    )


def _condensed_weights(kernel, fan_in, bias):
    """Yields the weights of a `Condensed` layer, in Keras's order."""
    # Nonzero weights first, in the order of the inputs.
    order = np.argsort(kernel == 0, axis=0, kind="stable")[:fan_in]
    values = np.take_along_axis(kernel, order, axis=0)
    yield values.T
    yield from bias
    yield order.T.astype("int32")
