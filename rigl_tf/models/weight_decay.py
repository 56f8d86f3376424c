"""Weight decay, in the gradient."""

import keras

from rigl_tf.utils.validation import check_number

_KERNELS = ("kernel", "recurrent_kernel")


def with_weight_decay(
    input_shape, num_classes, *, model, weight_decay, depthwise=True
):
    """Builds a network whose kernels decay.

    The gradient of a kernel is increased by `weight_decay` times the kernel,
    as PyTorch and the papers do it. (That of Keras's optimizers is taken from
    weights directly, times the learning rate.) To the loss comes half of that
    times the sum of the squared weights, also where the loss is reported.

    Args:
        input_shape: Tuple of positive integers.
        num_classes: Integer, at least 1.
        model: Function of both to a `keras.Model`.
        weight_decay: Number, at least 0.
        depthwise: Whether depthwise kernels decay, too. Those of the RigL
            paper do not.

    Returns:
        `keras.Model`.
    """
    check_number("weight_decay", weight_decay, "[0, inf)")
    network = model(input_shape, num_classes)
    for layer in network.layers:
        layer = getattr(layer, "cell", layer)  # of a recurrent layer
        is_depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
        for name in _KERNELS:
            kernel = getattr(layer, name, None)
            if kernel is None or (is_depthwise and not depthwise):
                continue
            decay = keras.regularizers.L2(weight_decay / 2)
            argument = "depthwise" if is_depthwise else name
            setattr(layer, f"{argument}_regularizer", decay)
            kernel.regularizer = decay
    return network
