"""What TensorFlow differentiates twice wrongly, made right."""

import contextlib
import threading

import tensorflow as tf

from rigl_tf._keras_compat import ops_replaced

_LOCK = threading.RLock()


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
    with _LOCK, ops_replaced(_moments, _resize_bilinear):
        yield


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
        y = tf.raw_ops.ResizeBilinear(images=x, size=size, **kwargs)
        return y, backwards

    @tf.custom_gradient
    def backwards(y):
        x = tf.raw_ops.ResizeBilinearGrad(
            grads=y, original_image=images, **kwargs
        )
        return x, resized

    return resized(images)
