"""Sets of positions in a kernel, as sorted flat indices."""

import numpy as np
import tensorflow as tf

from rigl_tf import selection

NONE = np.iinfo(np.int32).max
"""Fills up lists of positions that have room for more."""


def padded(positions, length):
    """The positions, followed by `NONE` up to a length."""
    missing = length - tf.size(positions)
    return tf.concat([positions, tf.fill([missing], NONE)], axis=0)


def count(positions):
    """How many there are before the padding, as an int64 scalar."""
    return tf.searchsorted(positions, [NONE], out_type=tf.int64)[0]


def merged(one, other):
    """The union of two disjoint lists without padding; the second shorter."""
    places = tf.searchsorted(one, other) + tf.range(tf.size(other))
    total = tf.size(one) + tf.size(other)
    is_other = _marked(places, total)
    both = tf.tensor_scatter_nd_update(
        tf.zeros([total], tf.int32), places[:, None], other
    )
    return tf.tensor_scatter_nd_update(
        both, tf.where(tf.logical_not(is_other)), one
    )


def between(positions, start, stop):
    """A mask of the range from `start` to `stop`."""
    first, last = bounds(positions, start, stop)
    return _marked(positions[first:last] - start, stop - start)


def bounds(positions, start, stop):
    """Where the positions from `start` to `stop` begin and end in the list."""
    return tf.unstack(tf.searchsorted(positions, tf.stack([start, stop])))


def taken(positions, start, values):
    """Of the values from a position `start` on, those at the positions."""
    first, last = bounds(positions, start, start + tf.size(values))
    return tf.gather(values, positions[first:last] - start)


def origins(old, new):
    """Where each of the new positions was among the old ones.

    Args:
        old: Sorted int32 tensor, padding at its end.
        new: The same.

    Returns:
        int32 tensor of the shape of `new`: indices into `old`, and -1 for what
        was not there and for padding.
    """
    last = tf.size(old) - 1
    places = tf.minimum(tf.searchsorted(old, new), last)
    found = tf.equal(tf.gather(old, places), new) & tf.not_equal(new, NONE)
    return tf.where(found, places, -1)


def carried(values, origins):
    """Values by their positions' origins; zero for those that had none."""
    rows = tf.gather(values, tf.maximum(origins, 0))
    stayed = beside(origins >= 0, values)
    return tf.where(stayed, rows, tf.zeros([], values.dtype))


def beside(flags, values):
    """Flags, one for each entry of `values`, in a shape that fits all of it."""
    return tf.reshape(flags, [-1] + [1] * (values.shape.rank - 1))


def of_mask(mask, room):
    """The positions of a mask, padded; in shapes that do not depend on it.

    Args:
        mask: Flat boolean tensor.
        room: Integer, at least as many as are `True`.
    """
    ranks = tf.cumsum(tf.cast(mask, tf.int32)) - 1
    places = tf.where(mask, ranks, room)  # one place more, for the others
    found = tf.tensor_scatter_nd_min(
        tf.fill([room + 1], NONE), places[:, None], tf.range(tf.size(mask))
    )
    return found[:room]


def on_grid(positions, values, size):
    """Values at their positions among `size`, and zeros elsewhere."""
    places = tf.minimum(positions, size)  # one place more, for padding
    shape = (size + 1, *values.shape[1:])
    grid = tf.tensor_scatter_nd_update(
        tf.zeros(shape, values.dtype), places[:, None], values
    )
    return grid[:size]


def best(tile, num_tiles, k):
    """The positions of the highest keys, without ever holding all keys.

    Args:
        tile: Function from the number of a tile to the position where it
            starts and its keys, as `selection.keys_of` gives them. Tiles
            follow one another.
        num_tiles: Integer.
        k: int64 scalar, at most the number of candidates.

    Returns:
        Sorted int32 tensor of `k` positions. Of equal keys, those of lower
        positions are chosen.
    """

    def shortened(keys, found, threshold):
        cut = selection.cut(keys, k)
        chosen = selection.chosen(keys, *cut)
        del threshold
        return (
            tf.boolean_mask(keys, chosen),
            tf.boolean_mask(found, chosen),
            cut.threshold,
        )

    def look(number, keys, found, threshold):
        start, here = tile(number)
        better = tf.where(here > threshold)[:, 0]
        keys = tf.concat([keys, tf.gather(here, better)], axis=0)
        places = start + tf.cast(better, tf.int32)
        found = tf.concat([found, places], axis=0)
        # Not after every tile, so that what is chosen is looked at rarely.
        return number + 1, *tf.cond(
            tf.size(keys, tf.int64) > 2 * k,
            lambda: shortened(keys, found, threshold),
            lambda: (keys, found, threshold),
        )

    nothing = tf.zeros([0], tf.int32)
    any_size = tf.TensorShape([None])
    scalar = tf.TensorShape([])
    _, keys, found, threshold = tf.while_loop(
        lambda number, *_: number < num_tiles,
        look,
        (tf.constant(0), nothing, nothing, tf.constant(tf.int32.min)),
        shape_invariants=(scalar, any_size, any_size, scalar),
        parallel_iterations=1,
    )
    return shortened(keys, found, threshold)[1]


def in_turn(num, part, dtype):
    """Flat tensors `part(0)` to `part(num - 1)` after one another."""
    return tf.while_loop(
        lambda i, _: i < num,
        lambda i, found: (i + 1, tf.concat([found, part(i)], axis=0)),
        (tf.constant(0), tf.zeros([0], dtype)),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None])),
        parallel_iterations=1,
    )[1]


def _marked(places, size):
    return tf.tensor_scatter_nd_update(
        tf.zeros([size], tf.bool),
        places[:, None],
        tf.ones_like(places, tf.bool),
    )
