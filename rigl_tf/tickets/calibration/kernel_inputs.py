"""The inputs of kernels, as matrices that the kernels multiply."""

import contextlib
import math

import numpy as np
import tensorflow as tf
from keras import layers as kl
from keras import tree

from rigl_tf.kernels.ops.convolution import Axis
from rigl_tf.kernels.ops.convolution import Convolution
from rigl_tf.sparsity import kernel_layout

_CONVOLUTIONS = (kl.Conv1D, kl.Conv2D, kl.Conv3D)
_DEPTHWISE = (kl.DepthwiseConv1D, kl.DepthwiseConv2D)


def check_layers(kernels, finder):
    """Raises a ValueError that names a kernel whose inputs are unknown.

    Args:
        kernels: List of `SparseKernel`.
        finder: String, the name of the finder that needs the inputs.
    """
    for kernel in kernels:
        layer = kernel.layer
        kinds = (kl.Dense, kl.EinsumDense, *_CONVOLUTIONS, *_DEPTHWISE)
        problem = None
        if not isinstance(layer, kinds) or layer.kernel is not kernel.variable:
            problem = f"a weight of a {type(layer).__name__} layer"
        elif isinstance(layer, kl.EinsumDense):
            if kernel_layout.matrices(layer.equation) is None:
                problem = f"{layer.equation!r}, which is no matrix product"
        if problem:
            raise ValueError(
                f"{finder} needs the inputs of Dense, EinsumDense, "
                "convolution or depthwise convolution layers. Received: "
                f"{kernel.name!r}, {problem}. Keep it dense with "
                f"`exclude=[{kernel.name!r}]`."
            )


def input_matrices(layer, x):
    """Returns the inputs of a layer as the matrices that its kernel multiplies.

    Args:
        layer: Keras layer that `check_layers` accepts.
        x: Float tensor, the inputs of a call.

    Returns:
        float32 tensor of shape (groups, rows, inputs), one row for each output
        position of each example. There is one group, except for convolutions
        with groups and depthwise convolutions.
    """
    x = tf.cast(x, tf.float32)
    if not isinstance(layer, _CONVOLUTIONS + _DEPTHWISE):
        rank = 1
        if isinstance(layer, kl.EinsumDense):
            # Equations that are no product are refused above.
            _, summed, _ = kernel_layout.matrices(layer.equation) or (
                "",
                "",
                "",
            )
            rank = len(summed)
        return tf.reshape(x, (1, -1, math.prod(x.shape[-rank:])))
    if layer.data_format == "channels_first":
        x = tf.transpose(x, (0, *range(2, len(x.shape)), 1))
    convolution = _convolution(layer)
    seen = tf.stack(
        [convolution.shifted(x, tap) for tap in range(convolution.taps)],
        axis=-2,
    )
    groups, rows = convolution.groups, convolution.rows
    seen = tf.reshape(seen, (-1, convolution.taps, groups, rows))
    seen = tf.transpose(seen, (2, 0, 1, 3))
    return tf.reshape(seen, (groups, -1, convolution.taps * rows))


def kernel_matrices(kernel, values):
    """Reshapes from kernel shape to the matrices of `input_matrices`.

    Args:
        kernel: `SparseKernel`.
        values: Array of kernel shape.

    Returns:
        Array of shape (groups, inputs, outputs of a group).
    """
    layout, groups = kernel.layout, _groups(kernel.layer)
    matrix = layout.matrix(values).numpy()
    parts = matrix.reshape(len(matrix), groups, layout.outputs // groups)
    return parts.transpose(1, 0, 2)


def to_kernel_shape(kernel, matrices):
    """Inverts `kernel_matrices`."""
    layout = kernel.layout
    matrix = np.transpose(matrices, (1, 0, 2)).reshape(-1, layout.outputs)
    return layout.unstack(matrix).numpy()


def first_examples(dataset, seed, num):
    """Returns the inputs of the first training examples, in batches.

    Args:
        dataset: `Dataset` or `Batches`.
        seed: Integer, the seed of the order of the data.
        num: Integer. If an epoch has fewer examples, all of them are used.

    Returns:
        List of inputs of the network, and the number of examples.
    """
    batches, left = [], num
    for batch in dataset.train(seed).take(dataset.steps_per_epoch):
        x = tree.map_structure(lambda one, left=left: one[:left], batch[0])
        batches.append(x)
        left -= len(tree.flatten(x)[0])
        if left == 0:
            break
    return batches, num - left


def for_each_call(network, kernels, batches, receive):
    """Calls a network in inference mode and shows the inputs of kernels.

    Args:
        network: `keras.Model`. Its layers must not be compiled into a graph.
        kernels: List of `SparseKernel` in the network.
        batches: List of inputs of the network.
        receive: Function of a kernel and its inputs, an array as of
            `input_matrices`. It is called for each call of the kernel's layer.

    Raises:
        ValueError: If the network never calls a kernel's layer.
    """
    missing = {kernel.name for kernel in kernels}

    def hook(kernel, call):
        def shown(*args, **kwargs):
            x = args[0] if args else kwargs["inputs"]
            missing.discard(kernel.name)
            receive(kernel, input_matrices(kernel.layer, x).numpy())
            return call(*args, **kwargs)

        return shown

    with contextlib.ExitStack() as stack:
        for kernel in kernels:
            stack.enter_context(_replaced_call(kernel, hook))
        for x in batches:
            network(x, training=False)
    if missing:
        raise ValueError(
            "Every masked layer must be called in inference. Received: a "
            f"network that never calls {', '.join(sorted(missing))}. Keep "
            "these layers dense with `exclude`."
        )


@contextlib.contextmanager
def _replaced_call(kernel, hook):
    """Replaces the `call` of a layer within the context."""
    layer, own = kernel.layer, vars(kernel.layer).get("call")
    object.__setattr__(layer, "call", hook(kernel, layer.call))
    try:
        yield
    finally:
        object.__delattr__(layer, "call")
        if own is not None:
            object.__setattr__(layer, "call", own)


def _groups(layer):
    if isinstance(layer, _DEPTHWISE):
        return layer.kernel.shape[-2]
    return getattr(layer, "groups", 1)


def _convolution(layer):
    """Returns the `Convolution` of a layer, depthwise or not."""
    shape, groups = layer.kernel.shape, _groups(layer)
    is_depthwise = isinstance(layer, _DEPTHWISE)
    axes = zip(
        layer.kernel_size, layer.strides, layer.dilation_rate, strict=True
    )
    return Convolution(
        tuple(Axis(*axis, layer.padding) for axis in axes),
        inputs=groups if is_depthwise else shape[-2] * groups,
        outputs=shape[-1] * groups if is_depthwise else shape[-1],
        groups=groups,
    )
