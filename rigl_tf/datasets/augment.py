"""Random augmentation of training images, determined by a seed.

Each function takes a batch of images of shape (examples, height, width,
channels) and a seed, a tensor of two integers. It returns a batch of the same
shape.
"""

import math
from typing import Literal

import tensorflow as tf


def crop_and_flip(
    x, seed, padding=4, mode: Literal["REFLECT", "CONSTANT"] = "REFLECT"
):
    """Pads images, crops them at random to their size, flips half of them.

    Args:
        x: Batch of images.
        seed: Tensor of two integers.
        padding: Integer, pixels on each side.
        mode: `"REFLECT"` pads by reflection, `"CONSTANT"` with zeros.
    """
    sides = [padding, padding]
    padded = tf.pad(x, [[0, 0], sides, sides, [0, 0]], mode)
    seeds = _seeds(seed, 3)
    tops, lefts = (
        tf.random.stateless_uniform(
            tf.shape(x)[:1], one, 0, 2 * padding + 1, tf.int32
        )
        for one in seeds[:2]
    )
    rows = tops[:, None] + tf.range(tf.shape(x)[1])
    columns = lefts[:, None] + tf.range(tf.shape(x)[2])
    # Flipping costs nothing: columns are read in the other order.
    is_flipped = tf.random.stateless_uniform(tf.shape(x)[:1], seeds[2]) < 0.5
    columns = tf.where(is_flipped[:, None], columns[:, ::-1], columns)
    cropped = tf.gather(padded, rows, axis=1, batch_dims=1)
    cropped = tf.gather(cropped, columns, axis=2, batch_dims=1)
    return tf.ensure_shape(cropped, x.shape)


def resize_and_flip(x, seed, least=0.08, ratio=4 / 3, size=None):
    """Crops images to a random size and ratio, resizes them, flips half.

    Args:
        x: Batch of images.
        seed: Tensor of two integers.
        least: Float in (0, 1], the smallest part of the area.
        ratio: Float, at least 1, the largest ratio of width to height; the
            smallest is the inverse.
        size: Pair of integers, height and width of the result. By default,
            the size of `x`.

    Reference:
        [Szegedy et al., 2015](https://arxiv.org/abs/1409.4842), section 6.
    """
    num = tf.shape(x)[:1]
    seeds = _seeds(seed, 5)
    area = tf.random.stateless_uniform(num, seeds[0], least, 1.0)
    log_ratio = tf.random.stateless_uniform(
        num, seeds[1], -math.log(ratio), math.log(ratio)
    )
    # Limited to the size of the image.
    heights = tf.minimum(tf.sqrt(area / tf.exp(log_ratio)), 1.0)
    widths = tf.minimum(tf.sqrt(area * tf.exp(log_ratio)), 1.0)
    tops = tf.random.stateless_uniform(num, seeds[2]) * (1 - heights)
    lefts = tf.random.stateless_uniform(num, seeds[3]) * (1 - widths)
    rights = lefts + widths
    is_flipped = tf.random.stateless_uniform(num, seeds[4]) < 0.5
    boxes = tf.stack(
        [
            tops,
            tf.where(is_flipped, rights, lefts),
            tops + heights,
            tf.where(is_flipped, lefts, rights),
        ],
        axis=1,
    )
    cropped = tf.image.crop_and_resize(
        x, boxes, tf.range(num[0]), size or x.shape[1:3]
    )
    return _cast(x.dtype, cropped)


def rotate_and_flip(x, seed, degrees=15.0):
    """Rotates images about their centre, fills with zeros, flips half.

    Args:
        x: Batch of images.
        seed: Tensor of two integers.
        degrees: Number, the largest angle in either direction.
    """
    num = tf.shape(x)[:1]
    seeds = _seeds(seed, 2)
    max_angle = math.radians(degrees)
    angles = tf.random.stateless_uniform(num, seeds[0], -max_angle, max_angle)
    flip = tf.random.stateless_uniform(num, seeds[1])
    sign = tf.where(flip < 0.5, -1.0, 1.0)
    cos, sin = tf.cos(angles), tf.sin(angles)
    middle_y, middle_x = tf.unstack(
        (tf.cast(tf.shape(x)[1:3], tf.float32) - 1) / 2
    )
    zeros = tf.zeros_like(cos)
    # The matrix that maps output to input pixels, row by row.
    transforms = tf.stack(
        [
            sign * cos,
            -sin,
            middle_x - sign * cos * middle_x + sin * middle_y,
            sign * sin,
            cos,
            middle_y - sign * sin * middle_x - cos * middle_y,
            zeros,
            zeros,
        ],
        axis=1,
    )
    rotated = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(x, tf.float32),
        transforms=transforms,
        output_shape=tf.shape(x)[1:3],
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
        fill_value=0.0,
    )
    return tf.ensure_shape(_cast(x.dtype, rotated), x.shape)


def _seeds(seed, num):
    return tf.unstack(tf.random.split(seed, num))


def _cast(dtype, x):
    """Casts images to a dtype; rounds them for integer dtypes."""
    return tf.cast(tf.round(x) if dtype.is_integer else x, dtype)
