"""Statistics of normalization, gathered for other connections."""

import keras

from rigl_tf.modeling import sparse_wrapper
from rigl_tf.tickets.saliency import functional_call


def gather(model, masks, batches):
    """Averages the statistics of batch normalization over batches.

    The moving averages of a search belong to the connections that it trained
    with. For other connections, each becomes the mean of what the batches
    have, as if nothing had been seen before.

    Args:
        model: `SparseModel`. Its masks and kernels stay as they are.
        masks: Dictionary from kernel to a boolean array.
        batches: Iterable of pairs of `x` and `y`.
    """
    layers = [
        layer
        for layer in model.network._flatten_layers()
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
        _, updates = functional_call.outputs(model.network, values, x, True)
        for variable, value in updates:
            variable.assign(value)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
