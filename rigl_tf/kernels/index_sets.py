"""Sets of positions in a kernel, as sorted flat indices."""

import numpy as np
import tensorflow as tf

from rigl_tf.sparsity import top_k

NONE = np.iinfo(np.int32).max
"""Fills up lists of positions that have room for more."""


def padded(positions, length, padding=NONE):
    """Returns the positions, followed by `padding` up to a length."""
    missing = length - tf.size(positions)
    padding = tf.constant(padding, positions.dtype)
    return tf.concat([positions, tf.fill([missing], padding)], axis=0)


def count(positions):
    """Counts the positions before the padding, as an int64 scalar."""
    return tf.searchsorted(positions, [NONE], out_type=tf.int64)[0]


def merge_order(one, other):
    """Returns indices that sort `one` and `other` joined, which are disjoint.

    Args:
        one: Sorted int32 tensor without padding.
        other: The same.
    """
    places = tf.searchsorted(one, other) + tf.range(tf.size(other))
    total = tf.size(one) + tf.size(other)
    is_other = _marked(places, total)
    ranks = tf.cumsum(tf.cast(is_other, tf.int32))
    of_one = tf.range(total) - ranks
    return tf.where(is_other, tf.size(one) + ranks - 1, of_one)


def contains(positions, others):
    """Returns which of the others are among the positions, both sorted."""
    positions = tf.pad(positions, [[0, 1]], constant_values=NONE)
    places = tf.searchsorted(positions, others)
    return tf.equal(tf.gather(positions, places), others)


def between(positions, start, stop):
    """Returns a mask of the range from `start` to `stop`."""
    first, last = bounds(positions, start, stop)
    return _marked(positions[first:last] - start, stop - start)


def bounds(positions, start, stop):
    """Finds the first positions from `start` and from `stop` on."""
    return tf.unstack(tf.searchsorted(positions, tf.stack([start, stop])))


def taken(positions, start, values):
    """Gathers the values at the positions; `values[0]` is at `start`."""
    first, last = bounds(positions, start, start + tf.size(values))
    return tf.gather(values, positions[first:last] - start)


def origins(old, new):
    """Finds each of the new positions among the old ones.

    Args:
        old: Sorted int32 tensor, padding at its end.
        new: The same.

    Returns:
        int32 tensor of the shape of `new`: indices into `old`, and -1 for new
        positions and for padding.
    """
    last = tf.size(old) - 1
    places = tf.minimum(tf.searchsorted(old, new), last)
    found = tf.equal(tf.gather(old, places), new) & tf.not_equal(new, NONE)
    return tf.where(found, places, -1)


def carried(values, origins, other=0.0):
    """Gathers values by `origins`; `other` where the origin is -1."""
    rows = tf.gather(values, tf.maximum(origins, 0))
    stayed = broadcastable(origins >= 0, values)
    return tf.where(stayed, rows, tf.cast(other, values.dtype))


def broadcastable(flags, values):
    """Reshapes flags, one for each row of `values`, to broadcast over rows."""
    return tf.reshape(flags, [-1] + [1] * (values.shape.rank - 1))


def of_mask(mask, room):
    """Returns the padded positions of a mask, in a shape known beforehand.

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
    """Scatters values to their positions among `size`; zeros elsewhere."""
    places = tf.minimum(positions, size)  # one place more, for padding
    shape = (size + 1, *values.shape[1:])
    grid = tf.tensor_scatter_nd_update(
        tf.zeros(shape, values.dtype), places[:, None], values
    )
    return grid[:size]


def best(tile, num_tiles, k, taken=None):
    """Finds the positions of the highest scores, without holding all scores.

    Args:
        tile: Function from the number of a tile to the position where it
            starts and its flat scores. Tiles follow one another.
        num_tiles: Integer.
        k: int64 scalar, at most the number of candidates.
        taken: Sorted int32 tensor without padding, positions that are no
            candidates.

    Returns:
        Sorted int32 tensor of `k` positions. Of equal scores, the scores of
        lower positions are chosen.
    """
    taken = tf.zeros([0], tf.int32) if taken is None else taken

    def shortened(keys, found, threshold):
        selected = top_k.top_k_threshold(keys, k)
        chosen = tf.where(top_k.selected_mask(keys, *selected))[:, 0]
        del threshold
        return (
            tf.gather(keys, chosen),
            tf.gather(found, chosen),
            selected.threshold,
        )

    def better(start, scores, threshold):
        """Returns the indices of the candidates above a threshold."""
        stop = start + tf.size(scores)

        def by_score():
            higher = tf.where(top_k.is_higher(scores, threshold))[:, 0]
            first, last = bounds(taken, start, stop)
            places = start + tf.cast(higher, tf.int32)
            is_taken = contains(taken[first:last], places)
            return tf.boolean_mask(higher, tf.logical_not(is_taken))

        def by_key():
            candidates = tf.logical_not(between(taken, start, stop))
            keys = top_k.keys_of(scores, candidates)
            return tf.where(keys > threshold)[:, 0]

        return tf.cond(top_k.has_score(threshold, scores), by_score, by_key)

    def look(number, keys, found, threshold):
        start, scores = tile(number)
        higher = better(start, scores, threshold)
        here = top_k.keys_of(tf.gather(scores, higher), None)
        keys = tf.concat([keys, here], axis=0)
        places = start + tf.cast(higher, tf.int32)
        found = tf.concat([found, places], axis=0)
        # Not after every tile, because a selection takes long.
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
    """Concatenates flat tensors `part(0)` to `part(num - 1)`, one by one."""
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
