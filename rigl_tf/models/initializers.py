"""Kernel initializers."""

import math

import keras
from keras.initializers import VarianceScaling

from rigl_tf.utils.validation import check_choice


@keras.saving.register_keras_serializable(package="rigl_tf")
class SignedConstant(VarianceScaling):
    """Sets weights to plus or minus sqrt(scale / fan-in) at random.

    Reference:
        [Ramanujan et al., 2020](https://arxiv.org/abs/1911.13299), section 4.
    """

    def __call__(self, shape, dtype=None):
        signs = keras.ops.sign(super().__call__(shape, dtype))
        inputs = self.input_axes or range(len(shape) - 1)
        fan_in = math.prod(shape[axis] for axis in inputs)
        return signs * (self.scale / fan_in) ** 0.5


# Arguments of `VarianceScaling`: the standard deviation of a kernel is
# sqrt(scale / fan), with fan the number of connections of an output or input.
INITIALIZERS = {
    "glorot_uniform": (1, "fan_avg", "uniform"),  # Keras's
    "he_normal": (2, "fan_in", "truncated_normal"),
    "he_normal_fan_out": (2, "fan_out", "untruncated_normal"),
    "he_uniform": (2, "fan_in", "uniform"),
    "kaiming_normal": (2, "fan_in", "untruncated_normal"),  # PyTorch's
    "lecun_normal": (1, "fan_in", "truncated_normal"),
    "signed_constant": (2, "fan_in", "uniform"),
    # Uniform within 1 / sqrt(fan_in), PyTorch's default.
    "torch_uniform": (1 / 3, "fan_in", "uniform"),
}


def make_initializer(initializer, depthwise=False):
    """Creates a new initializer, because a shared one repeats its values.

    Args:
        initializer: String, a key of `INITIALIZERS`, or a function without
            arguments that returns a `keras.initializers.Initializer`.
        depthwise: Boolean, whether the kernel is of a depthwise convolution,
            shape (height, width, channels, multiplier), whose outputs have
            height x width connections. Keras would count the connections of
            all channels.

    Returns:
        `keras.initializers.Initializer`.

    Raises:
        ValueError: If the name is unknown.
    """
    if callable(initializer):
        return initializer()
    check_choice("initializer", initializer, tuple(INITIALIZERS))
    is_signed = initializer == "signed_constant"
    cls = SignedConstant if is_signed else VarianceScaling
    axes = {"input_axes": (0, 1), "output_axes": (0, 1, 3)}
    return cls(*INITIALIZERS[initializer], **(axes if depthwise else {}))
