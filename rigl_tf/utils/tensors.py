"""Small things that many parts do with tensors and variables."""

import tensorflow as tf


def masked(values, mask, other=0.0):
    """`values` where `mask` is `True`, and exactly `other` elsewhere."""
    values = tf.convert_to_tensor(values)
    return tf.where(mask, values, tf.cast(other, values.dtype))


def floats(variables):
    """Returns the floating-point variables."""
    return [v for v in variables if "float" in v.dtype]


def as_array(variable):
    """Returns the value of a variable, mirrored or not, as an array."""
    return tf.convert_to_tensor(variable).numpy()


def as_int(variable):
    """Returns the value of an integer variable, mirrored or not."""
    return int(as_array(variable))
