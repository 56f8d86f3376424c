"""How kernels begin."""

import math

import keras
from keras.initializers import VarianceScaling

from rigl_tf.utils.validation import check_choice


@keras.saving.register_keras_serializable(package="rigl_tf")
class SignedConstant(VarianceScaling):
    """Plus or minus sqrt(scale / inputs of a unit), the sign at random.

    Reference:
        [Ramanujan et al., 2020](https://arxiv.org/abs/1911.13299), section 4.
    """

    def __call__(self, shape, dtype=None):
        signs = keras.ops.sign(super().__call__(shape, dtype))
        inputs = self.input_axes or range(len(shape) - 1)
        fan_in = math.prod(shape[axis] for axis in inputs)
        return signs * (self.scale / fan_in) ** 0.5


# Arguments of `VarianceScaling`: the standard deviation of a kernel is
# sqrt(scale / fan), where the fan is the connections of an output or an input.
INITIALIZERS = {
    "glorot_uniform": (1, "fan_avg", "uniform"),  # Keras's
    "he_normal": (2, "fan_in", "truncated_normal"),
    "he_normal_fan_out": (2, "fan_out", "untruncated_normal"),
    "he_uniform": (2, "fan_in", "uniform"),
    "kaiming_normal": (2, "fan_in", "untruncated_normal"),  # PyTorch's
    "lecun_normal": (1, "fan_in", "truncated_normal"),
    "signed_constant": (2, "fan_in", "uniform"),
    # Within 1 / sqrt(fan_in): what PyTorch does unless told.
    "torch_uniform": (1 / 3, "fan_in", "uniform"),
}


def initializer(kind, depthwise=False):
    """A new initializer: one that layers share would repeat its values.

    Args:
        kind: String, a key of `INITIALIZERS`, or a function without arguments
            to a `keras.initializers.Initializer`.
        depthwise: Whether it is for the kernel of a depthwise convolution,
            shape (height, width, channels, multiplier), whose outputs have
            height x width connections. Keras would count those of all
            channels.

    Returns:
        `keras.initializers.Initializer`.

    Raises:
        ValueError: If there is no such kind.
    """
    if callable(kind):
        return kind()
    check_choice("initializer", kind, tuple(INITIALIZERS))
    make = SignedConstant if kind == "signed_constant" else VarianceScaling
    axes = {"input_axes": (0, 1), "output_axes": (0, 1, 3)}
    return make(*INITIALIZERS[kind], **(axes if depthwise else {}))
