"""Batch normalization statistics for new masks."""

from typing import Any

import keras

from rigl_tf._keras_compat import all_layers
from rigl_tf.modeling import sparse_wrapper
from rigl_tf.modeling.forwarded_attributes import network_of
from rigl_tf.tickets import batches as data_batches
from rigl_tf.tickets.calibration import kernel_inputs
from rigl_tf.tickets.saliency import functional_call
from rigl_tf.utils import tensors
from rigl_tf.utils.validation import check_count


def recalibrate(
    model: keras.Model,
    data: Any,
    num_samples: int = 1024,
    *,
    batch_size: int | None = None,
) -> None:
    """Recomputes the moving averages of batch normalization in a model.

    The moving averages of a trained model belong to its dense layers. After
    pruning, call this function before you evaluate the model without further
    training. Each moving average becomes the mean over the batches. Layers of
    other types and frozen layers do not change.

    Args:
        model: `SparseModel` or `keras.Model`. Its moving averages change.
        data: Data as for `TicketFinder.find`.
        num_samples: Integer, the number of training examples to use.
        batch_size: Integer, only for arrays; 32 by default.

    Raises:
        TypeError: If the data have the wrong type.
        ValueError: If an argument is out of range.

    Example:

    >>> ticket = tickets.Wanda().find(network, (x, y), density=0.5)
    >>> sparse = ticket.sparsify(network)
    >>> tickets.recalibrate(sparse, (x, y))
    """
    check_count("num_samples", num_samples)
    network = network_of(model)
    dataset = data_batches.from_data(data, network, batch_size)
    examples, _ = kernel_inputs.first_examples(dataset, 0, num_samples)
    _recompute(network, [], examples)


def recompute_statistics(model, masks, batches):
    """Recomputes the moving averages of a model for other masks.

    Args:
        model: `SparseModel`. Its masks and kernels do not change.
        masks: Dictionary from kernel name to a boolean array.
        batches: Iterable of tuples that start with the inputs `x`.
    """
    values = [
        (kernel.variable, kernel.variable * masks[kernel.name])
        for kernel in sparse_wrapper.sparse_kernels(model.network)
    ]
    _recompute(model.network, values, (batch[0] for batch in batches))


def _recompute(network, values, inputs):
    """Sets each moving average to its mean over batches of inputs."""
    layers = [
        layer
        for layer in all_layers(network)
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    own = {id(v) for layer in layers for v in layer.non_trainable_variables}
    others = {}  # such as seeds of Dropout and vectors of SpectralNormalization
    try:
        for i, x in enumerate(inputs):
            for layer in layers:
                layer.momentum = i / (i + 1)
            _, updates = functional_call.call_with_values(
                network, values, x, True
            )
            for variable, value in updates:
                if id(variable) not in own:
                    before = (variable, tensors.as_array(variable))
                    others.setdefault(id(variable), before)
                variable.assign(value)
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        for variable, value in others.values():
            variable.assign(value)
