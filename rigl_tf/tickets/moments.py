"""Moments of activations that can be differentiated twice."""

import contextlib
import threading

import tensorflow as tf
from tensorflow.python.ops import nn_impl

_LOCK = threading.RLock()


@contextlib.contextmanager
def exact():
    """Lets the moments that layers take have right second derivatives.

    `tf.nn.moments`, which normalization in Keras takes, too, holds the mean
    constant in the variance. The variance and its first derivative are the
    same for it; its second derivative is not. What is called in this context
    goes through the mean. Other threads may meet these moments meanwhile,
    whose values are the same.
    """
    with _LOCK:
        before = nn_impl.moments
        nn_impl.moments = _moments
        try:
            yield
        finally:
            nn_impl.moments = before


def _moments(x, axes, shift=None, name=None, keep_dims=False):
    del shift, name
    x = tf.convert_to_tensor(x)
    y = tf.cast(x, tf.float32) if x.dtype == tf.float16 else x
    mean = tf.reduce_mean(y, axes, keepdims=True)
    squares = tf.math.squared_difference(y, mean)
    variance = tf.reduce_mean(squares, axes, keepdims=True)
    if not keep_dims:
        mean, variance = tf.squeeze(mean, axes), tf.squeeze(variance, axes)
    return tf.cast(mean, x.dtype), tf.cast(variance, x.dtype)
