"""Exact selection: scores and a count become a boolean mask.

Selection never sorts. A radix selection over the bits of the scores finds the
k-th largest in two histograms of 16 bits each, so its cost is linear in the
number of scores. It gives the same mask in eager mode, in a graph and under
XLA.
"""

import math
import numbers
from typing import Any
from typing import NamedTuple

import tensorflow as tf

_DIGIT_BITS = 16
_NUM_BINS = 1 << _DIGIT_BITS
_LOWEST = tf.int32.min  # not a candidate
_ABOVE_LOWEST = tf.int32.min + 1
_INF = 0x7F800000  # the bits of inf
_NAN = tf.int32.max - 2 * _INF - 1  # below the key of -inf
_ALL = tf.int32.max  # of the keys equal to the threshold, all are chosen
_ROW = 128  # counts that are added before totals are compared; fits in uint8


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
    kept = chosen(drop_scores, drop_cut(mask, drop_scores, num_drop), mask)
    return grow(kept, grow_scores, num_grow)


def drop_cut(mask, scores, num_drop):
    """Where the drop ends: the `Cut` of what is kept of the active ones."""
    num_active = count(mask)
    num_drop = _checked_count(num_drop, num_active, "num_drop", "connections")
    return _cut(_keys(scores, mask), num_active - num_drop)


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


def count(mask):
    """Counts the `True` entries of a mask exactly, as an int64 scalar."""
    return _count(tf.reshape(mask, [-1]))


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


@tf.function(
    input_signature=[tf.TensorSpec([None], tf.bool)],
    autograph=False,
    experimental_attributes={"_noinline": True},
)
def _count(mask):
    return tf.reduce_sum(_row_sums(_rows(tf.cast(mask, tf.uint8))))


def count_in_top_k(scores, k):
    """Counts how many of the `k` highest scores fall in each of many layers.

    The layers are looked at one after another, never side by side, so this
    needs the memory of the largest. Ties go to the earlier layer.

    Args:
        scores: List of functions without arguments, one a layer. Each returns
            a tensor of scores and a boolean tensor of candidates, both of
            kernel shape. Each is called twice.
        k: Integer or integer scalar tensor, at most all candidates.

    Returns:
        List of int64 scalars that add up to `k`.
    """
    layers = [lambda s=s: _keys(*s()) for s in scores]
    k = tf.cast(k, tf.int64)
    high, larger, _ = _shared_digit(layers, k, _high_digit)
    start = _start(high)
    _, larger_low, equal = _shared_digit(
        layers,
        k - tf.reduce_sum(larger),
        lambda keys: _low_digit(keys, start),
    )
    counts = larger + larger_low
    ties = tf.cumsum(equal)
    ties_left = k - tf.reduce_sum(counts)
    counts += tf.minimum(ties, ties_left) - tf.minimum(ties - equal, ties_left)
    return tf.unstack(counts)


def _seed_pair(seed):
    if isinstance(seed, numbers.Integral):
        seed = int(seed)
        # An ordinary seed fills the first word, the sign and overflow the next.
        return tf.constant([seed & 0x7FFFFFFF, seed >> 31], tf.int64)
    return seed


def _keys(scores, candidates):
    """Sortable keys, those of NaN above those of what is no candidate."""
    keys = _sortable(tf.convert_to_tensor(scores))
    if candidates is None:
        return keys
    return tf.where(tf.reshape(candidates, [-1]), keys, _LOWEST)


def _sortable(scores):
    """Flat int32 keys above `_LOWEST` in the order of the scores.

    In arithmetic that TensorFlow does in place, because a kernel may be large.
    """
    scores = tf.reshape(scores, [-1])
    if scores.dtype.is_integer or scores.dtype.is_bool:
        return tf.maximum(tf.cast(scores, tf.int32), _ABOVE_LOWEST)
    keys = tf.bitcast(tf.cast(scores, tf.float32), tf.int32)
    # Negative floats have the sign bit set and count backwards.
    flips = tf.bitwise.bitwise_and(_sign(keys), tf.int32.max)
    keys = tf.bitwise.bitwise_xor(keys, flips)
    keys -= _sign(keys)  # -0.0 becomes the key of +0.0
    # Above the key of inf is that of positive NaN, which overflows and so
    # becomes the lowest of all. Negative NaN, below -inf, is there already.
    return tf.maximum(keys + (tf.int32.max - _INF), _NAN)


def _sign(integers):
    """-1 for negative integers, 0 for others."""
    return tf.bitwise.right_shift(integers, 31)


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


class Cut(NamedTuple):
    """Where a selection ends.

    Two scalars instead of a mask, to be made into one when it is needed.

    Attributes:
        threshold: int32, the lowest key that is chosen.
        last: int32, of the keys equal to it the flat index of the last chosen.
    """

    threshold: Any
    last: Any


def chosen(scores, cut, candidates=None):
    """The mask of the scores that a `Cut` chooses."""
    keys = _keys(scores, candidates)
    return tf.reshape(_chosen(keys, *cut), tf.shape(scores))


_KEYS = tf.TensorSpec([None], tf.int32)


# Functions of their own, so that they are traced once for all kernels.
@tf.function(
    input_signature=[_KEYS, tf.TensorSpec([], tf.int64)],
    autograph=False,
    experimental_attributes={"_noinline": True},
)
def _cut(keys, k):
    """The `Cut` of the `k` largest keys, of equals those that come first."""
    at_least_one = tf.maximum(k, 1)
    high, above = _digit(_histogram(_high_digit(keys)), at_least_one)
    start = _start(high)
    low, above_low = _digit(
        _histogram(_low_digit(keys, start)), at_least_one - above
    )
    threshold = tf.bitwise.bitwise_or(start, low)
    ties = tf.equal(keys, threshold)
    ties_to_keep = k - above - above_low
    last = tf.cond(
        tf.equal(count(ties), ties_to_keep),
        lambda: tf.constant(_ALL, tf.int32),
        lambda: _place(ties, ties_to_keep),
    )
    return Cut(threshold, tf.where(k > 0, last, -1))


@tf.function(
    input_signature=[_KEYS, *2 * [tf.TensorSpec([], tf.int32)]],
    autograph=False,
    experimental_attributes={"_noinline": True},
)
def _chosen(keys, threshold, last):
    return tf.cond(
        tf.equal(last, _ALL),
        lambda: keys >= threshold,
        lambda: tf.logical_or(
            keys > threshold,
            tf.logical_and(
                tf.equal(keys, threshold), tf.range(tf.size(keys)) <= last
            ),
        ),
    )


def _highest(scores, k, candidates):
    """The mask of exactly `k` candidates, which must be there."""
    keys = _keys(scores, candidates)
    return tf.reshape(_chosen(keys, *_cut(keys, k)), tf.shape(scores))


def _high_digit(keys):
    return tf.bitwise.right_shift(keys, _DIGIT_BITS) + _NUM_BINS // 2


def _start(high):
    """The lowest key with a given high digit."""
    return tf.bitwise.left_shift(high - _NUM_BINS // 2, _DIGIT_BITS)


def _low_digit(keys, start):
    """How far keys are above `start`; `_NUM_BINS` if farther, or if below."""
    # As unsigned integers, a negative difference is a large one.
    above = tf.bitcast(keys, tf.uint32) - tf.bitcast(start, tf.uint32)
    return tf.bitcast(tf.minimum(above, _NUM_BINS), tf.int32)


def _histogram(digits):
    return tf.raw_ops.DenseBincount(
        input=digits, size=_NUM_BINS, weights=tf.constant([], tf.int32)
    )


def _digit(histogram, k):
    """The digit of the k-th largest key, and how many keys have a larger."""
    place, larger = _crossing(histogram[::-1], k, levels=3)
    return _NUM_BINS - 1 - place, larger


def _shared_digit(layers, k, digits):
    """The same over many layers, and how many are larger and equal in each."""
    histograms = []
    for keys in layers:
        # In turn, so that only one layer's temporaries are held at a time.
        with tf.control_dependencies([k, *histograms[-1:]]):
            histograms.append(_histogram(digits(keys())))
    histograms = tf.cast(tf.stack(histograms), tf.int64)
    digit, _ = _digit(tf.reduce_sum(histograms, axis=0), k)
    larger = tf.range(_NUM_BINS) > digit
    larger = tf.where(larger, histograms, tf.zeros([], tf.int64))
    equal = tf.gather(histograms, digit, axis=1)
    return digit, tf.reduce_sum(larger, axis=1), equal


def _place(mask, k):
    """The flat index of the k-th `True` entry."""
    return _crossing(tf.cast(mask, tf.uint8), k, levels=5)[0]


def _crossing(counts, k, levels):
    """Where the running total of `counts` reaches `k`, and the total before.

    Totals of rows come first, then one row, so that only short running totals
    are taken: up to `_ROW ** levels` counts. They are products with a triangle
    of ones, in floats that hold every count exactly, because XLA needs
    seconds to compile a cumulative sum.
    """
    if levels > 1:
        rows = _rows(counts)
        row, before = _crossing(_row_sums(rows), k, levels - 1)
        place, within = _crossing(tf.gather(rows, row), k - before, 1)
        return row * _ROW + place, before + within
    counts = tf.cast(counts, tf.float64)
    size = tf.size(counts)
    ones = tf.ones([size, size], tf.float64)
    totals = tf.linalg.matvec(tf.linalg.band_part(ones, -1, 0), counts)
    short = totals < tf.cast(k, tf.float64)
    place = tf.minimum(tf.reduce_sum(tf.cast(short, tf.int32)), size - 1)
    # The largest total that falls short is that of all counts before.
    before = tf.reduce_max(tf.where(short, totals, 0))
    return place, tf.cast(before, tf.int64)


def _row_sums(rows):
    """int64 totals. Added up in the type of `rows`, which must hold them."""
    return tf.cast(tf.reduce_sum(rows, axis=1), tf.int64)


def _rows(values):
    padding = -tf.size(values) % _ROW
    return tf.reshape(tf.pad(values, [[0, padding]]), [-1, _ROW])
