"""Batch normalization statistics for a new mask."""

import keras

from rigl_tf._keras_compat import all_layers
from rigl_tf.modeling import sparse_wrapper
from rigl_tf.tickets.saliency import functional_call


def recompute_statistics(model, masks, batches):
    """Recomputes the moving averages of batch normalization.

    The moving averages of a search belong to the connections that the search
    trained with. For other masks, each moving average becomes the mean over
    the given batches; its old value is dropped.

    Args:
        model: `SparseModel`. Its masks and kernels do not change.
        masks: Dictionary from kernel name to a boolean array.
        batches: Iterable of pairs `(x, y)`.
    """
    layers = [
        layer
        for layer in all_layers(model.network)
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    if not layers:
        return
    values = [
        (kernel.variable, kernel.variable * masks[kernel.name])
        for kernel in sparse_wrapper.sparse_kernels(model.network)
    ]
    momenta = [layer.momentum for layer in layers]
    for i, (x, _) in enumerate(batches):
        for layer in layers:
            layer.momentum = i / (i + 1)
        _, updates = functional_call.call_with_values(
            model.network, values, x, True
        )
        for variable, value in updates:
            variable.assign(value)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
