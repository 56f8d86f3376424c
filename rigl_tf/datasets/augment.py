"""Random changes of pictures for training, decided by a seed alone.

Each takes a batch of pictures, shape (examples, height, width, channels), and
a seed, a tensor of two integers, and returns a batch of the same shape.
"""

import math

import tensorflow as tf


def crop_and_flip(x, seed, padding=4, mode="REFLECT"):
    """Pads pictures, cuts their size out of them anywhere, mirrors half.

    Args:
        x: Batch of pictures.
        seed: Tensor of two integers.
        padding: Integer, pixels on each side.
        mode: `"REFLECT"` continues pictures as mirrors do, `"CONSTANT"` with
            zeros.
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
    # Mirrored columns cost nothing: they are looked up in another order.
    mirrored = tf.random.stateless_uniform(tf.shape(x)[:1], seeds[2]) < 0.5
    columns = tf.where(mirrored[:, None], columns[:, ::-1], columns)
    cropped = tf.gather(padded, rows, axis=1, batch_dims=1)
    cropped = tf.gather(cropped, columns, axis=2, batch_dims=1)
    return tf.ensure_shape(cropped, x.shape)


def resize_and_flip(x, seed, least=0.08, ratio=4 / 3, size=None):
    """Cuts out a part of random size and shape, resizes it, mirrors half.

    Args:
        x: Batch of pictures.
        seed: Tensor of two integers.
        least: Float in (0, 1], the smallest part of the area.
        ratio: Float, at least 1: width to height is between it and its
            inverse.
        size: Pair of integers, height and width of what comes out, if they
            are others.

    Reference:
        [Szegedy et al., 2015](https://arxiv.org/abs/1409.4842), section 6.
    """
    num = tf.shape(x)[:1]
    seeds = _seeds(seed, 5)
    area = tf.random.stateless_uniform(num, seeds[0], least, 1.0)
    log_ratio = tf.random.stateless_uniform(
        num, seeds[1], -math.log(ratio), math.log(ratio)
    )
    # Cut where they are larger than the picture.
    heights = tf.minimum(tf.sqrt(area / tf.exp(log_ratio)), 1.0)
    widths = tf.minimum(tf.sqrt(area * tf.exp(log_ratio)), 1.0)
    tops = tf.random.stateless_uniform(num, seeds[2]) * (1 - heights)
    lefts = tf.random.stateless_uniform(num, seeds[3]) * (1 - widths)
    rights = lefts + widths
    mirrored = tf.random.stateless_uniform(num, seeds[4]) < 0.5
    boxes = tf.stack(
        [
            tops,
            tf.where(mirrored, rights, lefts),
            tops + heights,
            tf.where(mirrored, lefts, rights),
        ],
        axis=1,
    )
    cut = tf.image.crop_and_resize(
        x, boxes, tf.range(num[0]), size or x.shape[1:3]
    )
    return _as(x.dtype, cut)


def rotate_and_flip(x, seed, degrees=15.0):
    """Turns pictures about their centre, black behind them, and mirrors half.

    Args:
        x: Batch of pictures.
        seed: Tensor of two integers.
        degrees: Number, the largest angle to either side.
    """
    num = tf.shape(x)[:1]
    seeds = _seeds(seed, 2)
    most = math.radians(degrees)
    angles = tf.random.stateless_uniform(num, seeds[0], -most, most)
    mirror = tf.random.stateless_uniform(num, seeds[1])
    sign = tf.where(mirror < 0.5, -1.0, 1.0)
    cos, sin = tf.cos(angles), tf.sin(angles)
    middle_y, middle_x = tf.unstack(
        (tf.cast(tf.shape(x)[1:3], tf.float32) - 1) / 2
    )
    zeros = tf.zeros_like(cos)
    # Where the pixel at (x, y) comes from: rows of a matrix, row by row.
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
    turned = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(x, tf.float32),
        transforms=transforms,
        output_shape=tf.shape(x)[1:3],
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
        fill_value=0.0,
    )
    return tf.ensure_shape(_as(x.dtype, turned), x.shape)


def _seeds(seed, num):
    return tf.unstack(tf.random.split(seed, num))


def _as(dtype, x):
    """Pictures of a dtype, those of integers rounded."""
    return tf.cast(tf.round(x) if dtype.is_integer else x, dtype)
