"""Functions that share connections among layers, in exact integers."""

import math
from collections.abc import Callable
from collections.abc import Sequence

import tensorflow as tf

from rigl_tf.algorithms.kernel_view import KernelView
from rigl_tf.sparsity import masks
from rigl_tf.typing import Integer
from rigl_tf.typing import Number


def in_proportion(
    shares: Sequence[Number], total: Integer, capacities: Sequence[Integer]
) -> list[tf.Tensor]:
    """Shares connections among layers in proportion, within capacities.

    Connections beyond the capacity of a layer go to the other layers in
    proportion. Each layer gets its part rounded down; the layers with the
    largest remainders get one more. If all layers that are not full have a
    share of 0, the parts are in proportion to the capacities.

    Args:
        shares: List of float scalars, one for each layer. Negative shares and
            shares that are not finite count as 0.
        total: int64 scalar, connections to share, at most the sum of
            capacities.
        capacities: List of int64 scalars, maximum for each layer.

    Returns:
        List of int64 scalars that add up to `total`.
    """
    total = tf.cast(total, tf.int64)
    wanted = tf.stack([tf.cast(share, tf.float64) for share in shares])
    usable = tf.math.is_finite(wanted) & (wanted > 0)
    wanted = tf.where(usable, wanted, tf.zeros_like(wanted))
    most = tf.stack([tf.cast(c, tf.int64) for c in capacities])
    room = tf.cast(most, tf.float64)
    none = tf.zeros_like(most)

    def due(full: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the parts of layers that are not full, and their sum."""
        left = total - tf.reduce_sum(tf.where(full, most, none))
        by_share = tf.where(full, tf.zeros_like(room), wanted)
        by_room = tf.where(full, tf.zeros_like(room), room)
        parts = tf.where(tf.reduce_any(by_share > 0), by_share, by_room)
        # Relative to the largest part, so that no sum over- or underflows.
        parts = tf.math.divide_no_nan(parts, tf.reduce_max(parts))
        parts = tf.math.divide_no_nan(parts, tf.reduce_sum(parts))
        return parts * tf.cast(left, tf.float64), left

    def overfull(full: tf.Tensor) -> tf.Tensor:
        return tf.logical_not(full) & (due(full)[0] >= room)

    (full,) = tf.while_loop(
        lambda full: tf.reduce_any(overfull(full)),
        lambda full: [full | overfull(full)],
        [tf.zeros_like(most, tf.bool)],
    )
    parts, left = due(full)
    whole = tf.cast(tf.floor(parts), tf.int64)
    one_more = masks.top_k_mask(
        parts - tf.floor(parts),
        left - tf.reduce_sum(whole),
        candidates=tf.logical_not(full),
    )
    counts = whole + tf.cast(one_more, tf.int64)
    return tf.unstack(tf.where(full, most, counts))


def in_whole_units(
    counts: Sequence[Integer],
    sizes: Sequence[float],
    total: Integer,
    room: Sequence[Integer],
) -> list[tf.Tensor]:
    """Scales counts of units to a total number of connections.

    Connections are shared in proportion to the connections of `counts` units.
    Each layer gets as many whole units as fit in its part. Remaining
    connections go to layers whose part is not a whole number of units, one
    unit each, then to any layer; layers with large units come first.

    Args:
        counts: List of int64 scalars, the units of each layer.
        sizes: List of numbers, the connections in a unit of each layer,
            rounded up to integers.
        total: int64 scalar, number of connections.
        room: List of int64 scalars, the maximum of units for each layer.

    Returns:
        List of int64 scalars. These units have `total` connections, or fewer
        by less than the smallest unit of the layers that have room.

    Example:

    >>> counts = in_whole_units([2, 2], [9, 1], 20, [50, 50])
    >>> [int(count) for count in counts]
    [2, 2]
    >>> counts = in_whole_units([3, 1], [9, 1], 20, [50, 50])
    >>> [int(count) for count in counts]
    [2, 2]
    """
    sizes = [math.ceil(size) for size in sizes]
    room = [tf.cast(num, tf.int64) for num in room]
    capacities = [num * size for num, size in zip(room, sizes, strict=True)]
    total = tf.clip_by_value(
        tf.cast(total, tf.int64), tf.zeros([], tf.int64), tf.add_n(capacities)
    )
    wanted = [n * size for n, size in zip(counts, sizes, strict=True)]
    parts = in_proportion(wanted, total, capacities)
    units = [part // size for part, size in zip(parts, sizes, strict=True)]
    left = total - tf.add_n(
        [num * size for num, size in zip(units, sizes, strict=True)]
    )
    largest_first = sorted(range(len(sizes)), key=lambda i: -sizes[i])
    for only_parts in (True, False):
        for i in largest_first:
            more = tf.minimum(left // sizes[i], room[i] - units[i])
            if only_parts:
                rest = tf.math.floormod(parts[i], sizes[i])
                more = tf.minimum(more, tf.cast(rest > 0, tf.int64))
            units[i] += more
            left -= more * sizes[i]
    return units


def by_mean_over_active(
    views: Sequence[KernelView], num_dropped: list[tf.Tensor], attribute: str
) -> list[tf.Tensor]:
    """Shares dropped connections by mean magnitudes of active connections.

    If every mean is zero, each layer grows what it dropped.

    Args:
        views: Sequence of `KernelView`, after the drop.
        num_dropped: List of int64 scalars.
        attribute: String, the values whose magnitude is averaged:
            `"gradient"` or `"momentum"`.

    Returns:
        List of int64 scalars, connections that each layer grows.
    """
    shares, capacities = [], []
    for i in range(len(views)):
        # One after another, so that memory holds temporaries of one layer.
        with tf.control_dependencies(shares[-1:]):
            view = views[i]
            values = tf.abs(tf.cast(getattr(view, attribute), tf.float32))
            active = masks.count(view.mask)
            total = tf.reduce_sum(tf.where(view.mask, values, tf.zeros([])))
            mean = tf.math.divide_no_nan(total, tf.cast(active, tf.float32))
        shares.append(mean)
        capacities.append(view.size - active)
    means = tf.cast(tf.stack(shares), tf.float64)
    dropped = tf.cast(tf.stack(num_dropped), tf.float64)
    shares = tf.unstack(tf.where(tf.reduce_any(means > 0), means, dropped))
    return in_proportion(shares, tf.add_n(num_dropped), capacities)


def by_rank(
    views: Sequence[KernelView],
    total: Integer,
    score: Callable[[KernelView], tf.Tensor],
) -> list[tf.Tensor]:
    """Counts each layer's share of the highest scores of all layers together.

    The highest score of each layer always counts. If `total` is above the
    number of active connections, layers share the rest in proportion to their
    inactive connections.

    Args:
        views: Sequence of `KernelView`.
        total: int64 scalar, the number of scores.
        score: Function from a `KernelView` to the scores of its connections.

    Returns:
        List of int64 scalars that add up to `total`.
    """

    def scores(i: int) -> tuple[tf.Tensor, tf.Tensor]:
        view = views[i]
        highest = masks.top_k_mask(score(view), 1, candidates=view.mask)
        # Recomputed, because the first tensor would stay in memory.
        with tf.control_dependencies([highest]):
            values = tf.cast(score(view), tf.float32)
            return tf.where(highest, float("inf"), values), view.mask

    total = tf.cast(total, tf.int64)
    layers = [lambda tile, i=i: scores(i) for i in range(len(views))]
    counts = masks.count_in_top_k(layers, total)
    with tf.control_dependencies(counts):  # to save memory
        active = masks.count_each(view.mask for view in views)
    room = [view.size - a for view, a in zip(views, active, strict=True)]
    rest = in_proportion(room, total - tf.add_n(counts), room)
    return [a + b for a, b in zip(counts, rest, strict=True)]
