"""Radix selection of the k largest numbers; only a few numbers are sorted.

Two histograms, one for the upper and one for the lower 16 bits of the numbers,
give the k-th largest number, so the cost is linear. Results are the same in
eager mode, in a graph and under XLA, and for few numbers and many.
"""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import tensorflow as tf

from rigl_tf._keras_compat import NOT_INLINED
from rigl_tf._keras_compat import is_for_xla
from rigl_tf.typing import Integer
from rigl_tf.typing import TensorLike

_DIGIT_BITS = 16
_NUM_BINS = 1 << _DIGIT_BITS
_LOWEST = tf.int32.min  # not a candidate
_ABOVE_LOWEST = tf.int32.min + 1
_INF = 0x7F800000  # the bits of inf
_NAN = tf.int32.max - 2 * _INF - 1  # below the key of -inf
_ALL = tf.int32.max  # all keys equal to the threshold are selected
_FEW = 10_000  # numbers that are sorted in the time of two histograms
_ROW = 128  # numbers in a row; the sum of a row of ones fits in uint8


class TopKThreshold(NamedTuple):
    """The result of a selection: two scalars that define a mask.

    Attributes:
        threshold: int32, the lowest selected key.
        last: int32, the flat index of the last selected key that is equal to
            the threshold.
    """

    threshold: Any
    last: Any


def keys_of(scores: TensorLike, candidates: TensorLike | None) -> tf.Tensor:
    """Returns sortable keys: lowest for non-candidates, then NaN, then -inf."""
    keys = _sortable(tf.convert_to_tensor(scores))
    if candidates is None:
        return keys
    return tf.where(tf.reshape(candidates, [-1]), keys, _LOWEST)


def _sortable(scores: tf.Tensor) -> tf.Tensor:
    """Returns flat int32 keys above `_LOWEST` in the order of the scores."""
    scores = tf.reshape(scores, [-1])
    if scores.dtype.is_integer or scores.dtype.is_bool:
        return tf.maximum(tf.cast(scores, tf.int32), _ABOVE_LOWEST)
    keys = _sortable_floats(tf.cast(scores, tf.float32))
    keys.set_shape(scores.shape)
    return keys


def has_score(threshold: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
    """Returns whether a key is of a score that all others compare with.

    The lowest key and the key of NaN are not.

    Args:
        threshold: int32 scalar.
        scores: Tensor of the dtype of the scores.
    """
    return threshold > (_NAN if scores.dtype.is_floating else _LOWEST)


def is_higher(scores: tf.Tensor, threshold: tf.Tensor) -> tf.Tensor:
    """Returns which keys of scores are above a key that `has_score`.

    This takes less time than to compute the keys.

    Args:
        scores: Flat tensor.
        threshold: int32 scalar.
    """
    if not scores.dtype.is_floating:
        return tf.cast(scores, tf.int32) > threshold
    key = threshold - (tf.int32.max - _INF)
    negative = tf.bitwise.bitwise_xor(key - 1, tf.int32.max)
    score = tf.bitcast(tf.where(key < 0, negative, key), tf.float32)
    return tf.cast(scores, tf.float32) > score


# These are `tf.function`s, so that they are traced once for all kernels.
@tf.function(
    input_signature=[tf.TensorSpec([None], tf.float32)],
    autograph=False,
    experimental_attributes=NOT_INLINED,
)
def _sortable_floats(scores: tf.Tensor) -> tf.Tensor:
    # With arithmetic that TensorFlow does in place, because kernels are large.
    keys = tf.bitcast(scores, tf.int32)
    # Negative floats have the sign bit set and count backwards.
    flips = tf.bitwise.bitwise_and(_sign(keys), tf.int32.max)
    keys = tf.bitwise.bitwise_xor(keys, flips)
    keys -= _sign(keys)  # -0.0 becomes the key of +0.0
    # The key of positive NaN is above the key of inf: it overflows and becomes
    # the lowest. The key of negative NaN is below the key of -inf already.
    return tf.maximum(keys + (tf.int32.max - _INF), _NAN)


def _sign(integers: tf.Tensor) -> tf.Tensor:
    """Returns -1 for negative integers, 0 for others."""
    return tf.bitwise.right_shift(integers, 31)


_KEYS = tf.TensorSpec([None], tf.int32)


def top_k_threshold(keys: tf.Tensor, k: tf.Tensor) -> TopKThreshold:
    """Finds the `TopKThreshold` of the `k` largest keys; earlier ones win."""
    # XLA has to know the k of a sort.
    is_few = 0 < (keys.shape[0] or 0) <= _FEW and not is_for_xla()
    return (_threshold_of_few if is_few else _threshold_of_many)(keys, k)


@tf.function(
    input_signature=[_KEYS, tf.TensorSpec([], tf.int64)],
    autograph=False,
    experimental_attributes=NOT_INLINED,
)
def _threshold_of_few(keys: tf.Tensor, k: tf.Tensor) -> TopKThreshold:
    # Of equal keys, `tf.math.top_k` has the key of the lower index first.
    largest, indices = tf.math.top_k(keys, tf.cast(tf.maximum(k, 1), tf.int32))
    return TopKThreshold(largest[-1], tf.where(k > 0, indices[-1], -1))


@tf.function(
    input_signature=[_KEYS, tf.TensorSpec([], tf.int64)],
    autograph=False,
    experimental_attributes=NOT_INLINED,
)
def _threshold_of_many(keys: tf.Tensor, k: tf.Tensor) -> TopKThreshold:
    high, above = _digit(_histogram(_high_digit(keys)), k)
    start = _start(high)
    low, above_low = _digit(_histogram(_low_digit(keys, start)), k - above)
    threshold = tf.bitwise.bitwise_or(start, low)
    ties = tf.equal(keys, threshold)
    ties_to_keep = k - above - above_low
    last = tf.cond(
        tf.equal(count(ties), ties_to_keep),
        lambda: tf.constant(_ALL, tf.int32),
        lambda: _kth_index(ties, ties_to_keep),
    )
    return TopKThreshold(threshold, tf.where(k > 0, last, -1))


@tf.function(
    input_signature=[_KEYS, *2 * [tf.TensorSpec([], tf.int32)]],
    autograph=False,
    experimental_attributes=NOT_INLINED,
)
def selected_mask(
    keys: tf.Tensor, threshold: tf.Tensor, last: tf.Tensor
) -> tf.Tensor:
    """Returns the mask of the keys that a `TopKThreshold` selects."""
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


def counts_in_top_k(
    layers: Sequence[Callable[[Integer], tf.Tensor]],
    k: tf.Tensor,
    num_tiles: Sequence[int],
) -> list[tf.Tensor]:
    """Counts how many of the `k` largest keys are in each layer.

    Args:
        layers: List of functions from the index of a tile to its keys. Each
            tile is computed twice.
        k: int64 scalar.
        num_tiles: List of integers, number of tiles of each layer.

    Returns:
        List of int64 scalars that add up to `k`, or to the number of
        candidates if that is smaller. Ties go to the earlier layer.
    """
    high, larger, _ = _shared_digit(layers, num_tiles, k, _high_digit)
    start = _start(high)
    low, larger_low, equal = _shared_digit(
        layers,
        num_tiles,
        k - tf.reduce_sum(larger),
        lambda keys: _low_digit(keys, start),
    )
    counts = larger + larger_low
    has_candidates = start + low > _LOWEST
    equal = tf.where(has_candidates, equal, tf.zeros_like(equal))
    ties = tf.cumsum(equal)
    ties_left = k - tf.reduce_sum(counts)
    counts += tf.minimum(ties, ties_left) - tf.minimum(ties - equal, ties_left)
    return tf.unstack(counts)


def count(mask: TensorLike) -> tf.Tensor:
    """Counts the `True` entries of a mask exactly, as an int64 scalar."""
    return _count(tf.reshape(mask, [-1]))


@tf.function(
    input_signature=[tf.TensorSpec([None], tf.bool)],
    autograph=False,
    experimental_attributes=NOT_INLINED,
)
def _count(mask: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(_row_sums(_rows(tf.cast(mask, tf.uint8))))


def _high_digit(keys: tf.Tensor) -> tf.Tensor:
    return tf.bitwise.right_shift(keys, _DIGIT_BITS) + _NUM_BINS // 2


def _start(high: tf.Tensor) -> tf.Tensor:
    """Returns the lowest key with a given high digit."""
    return tf.bitwise.left_shift(high - _NUM_BINS // 2, _DIGIT_BITS)


def _low_digit(keys: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
    """Returns `keys - start`, or `_NUM_BINS` if out of range."""
    # As an unsigned integer, a negative difference is large.
    above = tf.bitcast(keys, tf.uint32) - tf.bitcast(start, tf.uint32)
    return tf.bitcast(tf.minimum(above, _NUM_BINS), tf.int32)


def _histogram(digits: tf.Tensor) -> tf.Tensor:
    counts = tf.raw_ops.DenseBincount(
        input=digits, size=_NUM_BINS, weights=tf.constant([], tf.int32)
    )
    return tf.cast(counts, tf.int64)


@tf.function(
    input_signature=[
        tf.TensorSpec([_NUM_BINS], tf.int64),
        tf.TensorSpec([], tf.int64),
    ],
    autograph=False,
    experimental_attributes=NOT_INLINED,
)
def _digit(histogram: tf.Tensor, k: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the digit of the k-th largest key and the larger keys' count."""
    index, larger = _crossing(histogram[::-1], k, levels=3)
    return _NUM_BINS - 1 - index, larger


def _shared_digit(
    layers: Sequence[Callable[[Integer], tf.Tensor]],
    num_tiles: Sequence[int],
    k: tf.Tensor,
    digits: Callable[[tf.Tensor], tf.Tensor],
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Finds a digit over many layers; counts larger and equal keys in each."""
    histograms = []
    for keys, num in zip(layers, num_tiles, strict=True):
        # One after another, so that memory holds temporaries of one layer.
        with tf.control_dependencies([k, *histograms[-1:]]):
            histograms.append(
                _sum_over_tiles(
                    num, lambda tile, keys=keys: _histogram(digits(keys(tile)))
                )
            )
    histograms = tf.stack(histograms)
    digit, _ = _digit(tf.reduce_sum(histograms, axis=0), k)
    larger = tf.range(_NUM_BINS) > digit
    larger = tf.where(larger, histograms, tf.zeros([], tf.int64))
    equal = tf.gather(histograms, digit, axis=1)
    return digit, tf.reduce_sum(larger, axis=1), equal


def _sum_over_tiles(
    num_tiles: int, values: Callable[[Integer], tf.Tensor]
) -> tf.Tensor:
    """Returns the sum of `values(tile)`, computed one tile at a time."""
    if num_tiles == 1:
        return values(0)
    return tf.while_loop(
        lambda i, _: i < num_tiles,
        lambda i, total: (i + 1, total + values(i)),
        (tf.constant(1), values(tf.constant(0))),
        parallel_iterations=1,
    )[1]


def _kth_index(mask: tf.Tensor, k: tf.Tensor) -> tf.Tensor:
    """Returns the flat index of the k-th `True` entry."""
    return _crossing(tf.cast(mask, tf.uint8), k, levels=5)[0]


def _crossing(
    counts: tf.Tensor, k: tf.Tensor, levels: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Finds where the running sum of `counts` reaches `k`, and the sum before.

    The search goes from sums of rows to a single row, so that running sums are
    short: `levels` levels cover up to `_ROW ** levels` counts. XLA needs
    seconds to compile a long running sum.
    """
    if levels > 1:
        rows = _rows(counts)
        row, before = _crossing(_row_sums(rows), k, levels - 1)
        index, within = _crossing(tf.gather(rows, row), k - before, 1)
        return row * _ROW + index, before + within
    # GPUs have no running sum of int64. These floats are exact.
    totals = tf.cumsum(tf.cast(counts, tf.float64))
    short = totals < tf.cast(k, tf.float64)
    index = tf.reduce_sum(tf.cast(short, tf.int32))
    index = tf.minimum(index, tf.size(counts) - 1)
    # The largest total below k is the total of all counts before.
    before = tf.reduce_max(tf.where(short, totals, 0))
    return index, tf.cast(before, tf.int64)


def _row_sums(rows: tf.Tensor) -> tf.Tensor:
    """Returns int64 sums; the sums must fit in the type of `rows`."""
    return tf.cast(tf.reduce_sum(rows, axis=1), tf.int64)


def _rows(values: tf.Tensor) -> tf.Tensor:
    padding = -tf.size(values) % _ROW
    return tf.reshape(tf.pad(values, [[0, padding]]), [-1, _ROW])
