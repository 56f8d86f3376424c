"""What TensorFlow differentiates twice wrongly, made right."""

import contextlib
import threading

import tensorflow as tf
from tensorflow.python.ops import gen_image_ops
from tensorflow.python.ops import nn_impl

_LOCK = threading.RLock()
_RESIZE_BILINEAR = gen_image_ops.resize_bilinear


@contextlib.contextmanager
def exact():
    """Lets what layers call have right second derivatives.

    `tf.nn.moments`, which normalization in Keras takes, too, holds the mean
    constant in the variance. The variance and its first derivative are the
    same for it; its second derivative is not. Bilinear resizing has a
    derivative that TensorFlow takes for a constant. In this context, neither
    is so. Other threads may meet these functions meanwhile, whose values are
    the same.
    """
    with _LOCK:
        before = nn_impl.moments, gen_image_ops.resize_bilinear
        nn_impl.moments = _moments
        gen_image_ops.resize_bilinear = _resize_bilinear
        try:
            yield
        finally:
            nn_impl.moments, gen_image_ops.resize_bilinear = before


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


def _resize_bilinear(images, size, name=None, **kwargs):
    """Resizing is linear: the gradient of its gradient resizes, too."""
    del name
    images = tf.convert_to_tensor(images)

    @tf.custom_gradient
    def resized(x):
        return _RESIZE_BILINEAR(x, size, **kwargs), backwards

    @tf.custom_gradient
    def backwards(y):
        return gen_image_ops.resize_bilinear_grad(y, images, **kwargs), resized

    return resized(images)
