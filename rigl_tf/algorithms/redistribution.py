"""Sharing of connections among layers, in exact whole numbers."""

import tensorflow as tf

from rigl_tf import masks


def in_proportion(shares, total, capacities):
    """Shares connections among layers, in proportion and within capacity.

    Connections that a full layer cannot take go to the others in proportion.
    Each layer gets its part rounded down, and the layers with the largest
    remainders get one more. Where no layer that has room has a share, the
    parts are in proportion to the room.

    Args:
        shares: List of float scalars, one a layer. Negative shares, and
            shares that are not finite, count as 0.
        total: int64 scalar, connections to share, at most all capacities.
        capacities: List of int64 scalars, the most that each layer can take.

    Returns:
        List of int64 scalars that add up to `total`.
    """
    total = tf.cast(total, tf.int64)
    shares = tf.stack([tf.cast(share, tf.float64) for share in shares])
    usable = tf.math.is_finite(shares) & (shares > 0)
    shares = tf.where(usable, shares, tf.zeros_like(shares))
    capacities = tf.stack([tf.cast(c, tf.int64) for c in capacities])
    room = tf.cast(capacities, tf.float64)
    none = tf.zeros_like(capacities)

    def due(full):
        """Returns the parts of the layers that are not full, and their sum."""
        left = total - tf.reduce_sum(tf.where(full, capacities, none))
        by_share = tf.where(full, tf.zeros_like(room), shares)
        by_room = tf.where(full, tf.zeros_like(room), room)
        parts = tf.where(tf.reduce_any(by_share > 0), by_share, by_room)
        # Relative to the largest, so that no sum over- or underflows.
        parts = tf.math.divide_no_nan(parts, tf.reduce_max(parts))
        parts = tf.math.divide_no_nan(parts, tf.reduce_sum(parts))
        return parts * tf.cast(left, tf.float64), left

    def overfull(full):
        return tf.logical_not(full) & (due(full)[0] >= room)

    (full,) = tf.while_loop(
        lambda full: tf.reduce_any(overfull(full)),
        lambda full: [full | overfull(full)],
        [tf.zeros_like(capacities, tf.bool)],
    )
    parts, left = due(full)
    whole = tf.cast(tf.floor(parts), tf.int64)
    one_more = masks.top_k_mask(
        parts - tf.floor(parts),
        left - tf.reduce_sum(whole),
        candidates=tf.logical_not(full),
    )
    counts = whole + tf.cast(one_more, tf.int64)
    return tf.unstack(tf.where(full, capacities, counts))


def by_mean_over_active(views, num_dropped, attribute):
    """Shares all dropped connections by a mean over active connections.

    Args:
        views: Sequence of `KernelView`, after the drop.
        num_dropped: List of int64 scalars.
        attribute: String, the values to average the magnitude of:
            `"gradient"` or `"momentum"`.

    Returns:
        List of int64 scalars, connections that each layer grows.
    """
    shares, capacities = [], []
    for i in range(len(views)):
        # In turn, so that only one layer's temporaries are held at a time.
        with tf.control_dependencies(shares[-1:]):
            view = views[i]
            values = tf.abs(tf.cast(getattr(view, attribute), tf.float32))
            active = masks.count(view.mask)
            total = tf.reduce_sum(tf.where(view.mask, values, tf.zeros([])))
            mean = tf.math.divide_no_nan(total, tf.cast(active, tf.float32))
        shares.append(mean)
        capacities.append(view.size - active)
    return in_proportion(shares, tf.add_n(num_dropped), capacities)
