"""Exact masks: scores and a count become a boolean mask."""

import math
import numbers

import tensorflow as tf

from rigl_tf import selection
from rigl_tf.selection import count as count


def top_k_mask(scores, k, candidates=None):
    """Marks the `k` highest scores.

    Args:
        scores: Tensor of floats or of integers that int32 holds, any shape.
            Ties go to the lower flat index. NaN ranks below everything, `-inf`
            included. 64-bit floats are compared as 32-bit ones.
        k: Integer or integer scalar tensor, from 0 to the number of
            candidates. A symbolic tensor outside this range is clipped.
        candidates: Boolean tensor, shape of `scores`: where a score may win.
            All of them by default.

    Returns:
        Boolean tensor, shape of `scores`, with exactly `k` `True` entries.

    Raises:
        ValueError: If `k` is negative or larger than the number of candidates.
    """
    scores = tf.convert_to_tensor(scores)
    if candidates is None:
        available = tf.size(scores, out_type=tf.int64)
    else:
        available = count(candidates)
    k = _checked_count(k, available, "k", "scores")
    return _highest(scores, k, candidates)


def random_mask(shape, k, seed):
    """Marks `k` positions, each set of `k` equally likely.

    Args:
        shape: Tuple of integers.
        k: Integer or integer scalar tensor, from 0 to the number of positions.
        seed: Integer, or integer tensor of shape (2,). The same seed gives the
            same mask on every device.

    Returns:
        Boolean tensor of shape `shape` with exactly `k` `True` entries.

    Raises:
        ValueError: If `k` is out of range.
    """
    return top_k_mask(random_scores(shape, seed), k)


def random_scores(shape, seed):
    """Independent uniform 32-bit integers, the scores of a random choice.

    Args:
        shape: Tuple of integers.
        seed: Integer, or integer tensor of shape (2,).

    Returns:
        int32 tensor of shape `shape`. Integers, because random floats have
        only 23 random bits, and ties favour low indices.
    """
    return tf.random.stateless_uniform(
        shape,
        _seed_pair(seed),
        minval=None,
        maxval=None,
        dtype=tf.int32,
        alg="philox",
    )


def part_of_random_scores(start, stop, seed):
    """Those that `random_scores` has between two flat indices.

    Args:
        start: Integer or integer scalar tensor.
        stop: The same.
        seed: Integer tensor of shape (2,).

    Returns:
        Flat int32 tensor.
    """
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed)
    # Philox makes four numbers for every value of its counter.
    skipped = start // 4
    values = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=[stop - 4 * skipped],
        key=key,
        counter=counter + tf.cast(tf.stack([skipped, 0]), tf.uint64),
        alg=1,
        dtype=tf.int32,
    )
    return values[start - 4 * skipped :]


def drop_and_grow(mask, drop_scores, grow_scores, num_drop, num_grow):
    """Replaces the weakest active connections by the most promising others.

    Only active connections can be dropped. Growth considers everything that
    is inactive after the drop, so a connection may be dropped and grown in
    the same update.

    Args:
        mask: Boolean tensor, kernel shape. `True` marks active connections.
        drop_scores: Tensor, kernel shape. The lowest-scoring active
            connections are dropped, of equals those with the higher index.
        grow_scores: Tensor, kernel shape. The highest-scoring inactive
            connections are grown, of equals those with the lower index. Or
            a list of functions, as for `grow`.
        num_drop: Integer or integer scalar tensor, connections to drop.
        num_grow: Integer or integer scalar tensor, connections to grow.

    Returns:
        Boolean tensor, kernel shape, with `num_grow - num_drop` more `True`
        entries than `mask`.

    Raises:
        ValueError: If there are fewer connections to drop or to grow than
            asked. In a graph, the counts are clipped instead.

    Reference:
        [Evci et al., 2020](https://arxiv.org/abs/1911.11134), Algorithm 1.
    """
    mask = tf.convert_to_tensor(mask)
    cut = drop_cut(mask, drop_scores, num_drop)
    return grow(after_drop(mask, drop_scores, cut), grow_scores, num_grow)


def drop_cut(mask, scores, num_drop):
    """Where the drop ends: the `Cut` of what is kept of the active ones."""
    num_active = count(mask)
    num_drop = _checked_count(num_drop, num_active, "num_drop", "connections")
    keys = selection.keys_of(scores, mask)
    return selection.cut(keys, num_active - num_drop)


def after_drop(mask, scores, cut):
    """The mask of what a `Cut` keeps of the active connections."""
    keys = selection.keys_of(scores, mask)
    return tf.reshape(selection.chosen(keys, *cut), tf.shape(mask))


def grow(mask, scores, num_grow):
    """Adds the highest-scoring inactive connections to a mask.

    Args:
        mask: Boolean tensor, kernel shape.
        scores: Tensor, kernel shape, or a list of functions that return one.
            Each of a list grows an equal part; the earlier ones choose first
            and have the odd ones. Not looked at if `num_grow` is the integer
            0.
        num_grow: Integer or integer scalar tensor.

    Returns:
        Boolean tensor, kernel shape.

    Raises:
        ValueError: If fewer are inactive.
    """
    if isinstance(num_grow, int) and num_grow == 0:
        return mask
    inactive = tf.logical_not(mask)
    left = _checked_count(num_grow, count(inactive), "num_grow", "connections")
    if not isinstance(scores, list | tuple):
        scores = [lambda score=scores: score]
    for place, score in enumerate(scores):
        part = -(-left // (len(scores) - place))
        with tf.control_dependencies([mask]):  # after the drop, not beside it
            grown = _highest(score(), part, inactive)
        mask = tf.logical_or(mask, grown)
        inactive = tf.logical_not(mask)
        left -= part
    return mask


def count_each(masks):
    """Counts the `True` entries of masks in turn, as a list of int64 scalars.

    In a graph, separate counts would hold temporaries of all masks at once.

    Args:
        masks: Iterable of boolean tensors.
    """
    totals, masks = [], iter(masks)
    while True:
        with tf.control_dependencies(totals[-1:]):
            mask = next(masks, None)  # made here, after the count before
            if mask is None:
                return totals
            totals.append(count(mask))


def count_in_top_k(scores, k, num_tiles=None):
    """Counts how many of the `k` highest scores fall in each of many layers.

    The layers are looked at one after another, never side by side, so this
    needs the memory of the largest. Ties go to the earlier layer.

    Args:
        scores: List of functions, one a layer, from `tile`, the number of one,
            to a tensor of scores and a boolean tensor of candidates, both of
            the same shape.
        k: Integer or integer scalar tensor, at most all candidates.
        num_tiles: List of integers, tiles of each layer; 1 by default. In a
            graph, they are looped over.

    Returns:
        List of int64 scalars that add up to `k`.
    """
    layers = [
        lambda tile, s=s: selection.keys_of(*s(tile=tile)) for s in scores
    ]
    return selection.counts_in_top_k(
        layers, tf.cast(k, tf.int64), num_tiles or [1] * len(layers)
    )


def _highest(scores, k, candidates):
    """The mask of exactly `k` candidates, which must be there."""
    keys = selection.keys_of(scores, candidates)
    mask = selection.chosen(keys, *selection.cut(keys, k))
    return tf.reshape(mask, tf.shape(scores))


def _seed_pair(seed):
    if isinstance(seed, numbers.Integral):
        seed = int(seed)
        # An ordinary seed fills the first word, the sign and overflow the next.
        return tf.constant([seed & 0x7FFFFFFF, seed >> 31], tf.int64)
    return seed


def _checked_count(k, available, name, what):
    """`k` as an int64 scalar between 0 and `available`."""
    value = tf.get_static_value(k)
    limit = tf.get_static_value(available)
    if value is None:
        zero = tf.constant(0, tf.int64)
        return tf.clip_by_value(tf.cast(k, tf.int64), zero, available)
    if value != math.floor(value):
        raise ValueError(
            f"`{name}` counts connections and must be an integer. "
            f"Received: {name}={value}."
        )
    if value < 0 or (limit is not None and value > limit):
        upper = "their number" if limit is None else int(limit)
        raise ValueError(
            f"`{name}` must be between 0 and the {what} available ({upper}). "
            f"Received: {name}={value}."
        )
    if limit is None:
        return tf.minimum(tf.constant(int(value), tf.int64), available)
    return tf.constant(int(value), tf.int64)
