"""Weight decay as a term of the gradient."""

from collections.abc import Callable

import keras

from rigl_tf._keras_compat import all_layers
from rigl_tf.typing import Shape
from rigl_tf.utils.validation import check_number

_KERNELS = ("kernel", "recurrent_kernel")


def with_weight_decay(
    input_shape: Shape,
    num_classes: int,
    *,
    model: Callable[..., keras.Model],
    weight_decay: float,
    depthwise: bool = True,
) -> keras.Model:
    """Builds a network with weight decay of its kernels.

    `weight_decay` times the kernel is added to the gradient of a kernel, as in
    PyTorch and in the papers. (Keras's optimizers subtract decay
    times the learning rate from the weights directly.) The loss, also the
    reported loss, includes half of `weight_decay` times the sum of squared
    weights.

    Args:
        input_shape: Tuple of positive integers.
        num_classes: Integer, at least 1.
        model: Function from `input_shape` and `num_classes` to a
            `keras.Model`.
        weight_decay: Number, at least 0.
        depthwise: Boolean, whether depthwise kernels decay, too. In the RigL
            paper they do not.

    Returns:
        `keras.Model`.
    """
    check_number("weight_decay", weight_decay, "[0, inf)")
    network = model(input_shape, num_classes)
    for layer in all_layers(network):
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
