"""Boolean masks with an exact number of active connections."""

import functools
import math
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from rigl_tf.sparsity import random_bits
from rigl_tf.sparsity import top_k
from rigl_tf.sparsity.top_k import TopKThreshold
from rigl_tf.sparsity.top_k import count as count
from rigl_tf.typing import GrowScores
from rigl_tf.typing import Integer
from rigl_tf.typing import Seed
from rigl_tf.typing import Shape
from rigl_tf.typing import TensorLike

_TILE = 1 << 20  # smallest part of a random mask that is drawn at a time
_MAX_TILES = 64  # each needs a histogram


def top_k_mask(
    scores: TensorLike, k: Integer, candidates: TensorLike | None = None
) -> tf.Tensor:
    """Marks the `k` highest scores.

    Args:
        scores: Tensor of floats or of integers that int32 holds, any shape.
            Ties go to the lower flat index. NaN ranks below everything, `-inf`
            included. 64-bit floats are compared as 32-bit floats.
        k: Integer or integer scalar tensor, from 0 to the number of
            candidates. A symbolic tensor outside this range is clipped.
        candidates: Boolean tensor, shape of `scores`, the positions that may
            be marked. By default, all positions.

    Returns:
        Boolean tensor, shape of `scores`, with exactly `k` `True` entries.

    Raises:
        ValueError: If `k` is negative or larger than the number of candidates.

    Example:

    >>> top_k_mask([0.1, 0.9, 0.9, 0.3], k=2).numpy()
    array([False,  True,  True, False])
    """
    scores = tf.convert_to_tensor(scores)
    if candidates is None:
        available = tf.size(scores, out_type=tf.int64)
    else:
        available = count(candidates)
    k = _check_count(k, available, "k", "scores")
    return _highest(scores, k, candidates)


def random_mask(shape: Shape, k: Integer, seed: Seed) -> tf.Tensor:
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

    Example:

    >>> mask = random_mask((4, 8), k=5, seed=0)
    >>> int(tf.math.count_nonzero(mask))
    5
    """
    size, seed = math.prod(shape), random_bits.seed_pair(seed)
    tile = max(_TILE, -(-size // _MAX_TILES))
    if size <= tile or not tf.executing_eagerly():
        return top_k_mask(random_bits.draw(shape, seed), k)
    k = _check_count(k, size, "k", "scores")
    # Tiles are drawn again for each use, so that memory holds few of them.
    tiles = [
        functools.partial(
            random_bits.draw_slice, start, min(start + tile, size), seed
        )
        for start in range(0, size, tile)
    ]
    counts = count_in_top_k(
        [lambda tile, draw=draw: (draw(), None) for draw in tiles], k
    )
    parts = [
        _highest(draw(), count, None)
        for draw, count in zip(tiles, counts, strict=True)
    ]
    return tf.reshape(tf.concat(parts, 0), shape)


def drop_and_grow(
    mask: TensorLike,
    drop_scores: TensorLike,
    grow_scores: GrowScores,
    num_drop: Integer,
    num_grow: Integer,
) -> tf.Tensor:
    """Replaces the weakest active connections by the most promising others.

    Only active connections can be dropped. Growth considers every connection
    that is inactive after the drop, so a connection may be dropped and grown
    in the same update. Training calls the same three functions, with a
    redistribution between the drop and the growth: `drop_threshold`,
    `mask_after_drop` and `grow`.

    Args:
        mask: Boolean tensor, kernel shape. `True` marks active connections.
        drop_scores: Tensor, kernel shape. The lowest-scoring active
            connections are dropped; among equal scores, the higher index.
        grow_scores: Tensor, kernel shape. The highest-scoring inactive
            connections are grown; among equal scores, the lower index. Or a
            list of functions, as for `grow`.
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

    Example:

    >>> mask = drop_and_grow(
    ...     mask=[True, True, False, False],
    ...     drop_scores=[0.5, 0.1, 0.0, 0.0],
    ...     grow_scores=[0.0, 0.0, 0.2, 0.9],
    ...     num_drop=1,
    ...     num_grow=1,
    ... )
    >>> mask.numpy()
    array([ True, False, False,  True])
    """
    mask = tf.convert_to_tensor(mask)
    threshold = drop_threshold(mask, drop_scores, num_drop)
    kept = mask_after_drop(mask, drop_scores, threshold)
    return grow(kept, grow_scores, num_grow)


def drop_threshold(
    mask: TensorLike, scores: TensorLike, num_drop: Integer
) -> TopKThreshold:
    """Finds the score threshold of a drop, as two scalars.

    Args:
        mask: Boolean tensor, kernel shape.
        scores: Tensor, kernel shape. The lowest-scoring active connections
            are dropped.
        num_drop: Integer or integer scalar tensor.

    Returns:
        `top_k.TopKThreshold`. `mask_after_drop` computes the mask from it.

    Raises:
        ValueError: If `num_drop` is not a count of active connections.
    """
    num_active = count(mask)
    num_drop = _check_count(num_drop, num_active, "num_drop", "connections")
    keys = top_k.keys_of(scores, mask)
    return top_k.top_k_threshold(keys, num_active - num_drop)


def mask_after_drop(
    mask: TensorLike, scores: TensorLike, threshold: TopKThreshold
) -> tf.Tensor:
    """Returns the mask of the connections that a drop keeps.

    Args:
        mask: Boolean tensor, kernel shape, before the drop.
        scores: Tensor, as for `drop_threshold`.
        threshold: `top_k.TopKThreshold`.

    Returns:
        Boolean tensor, kernel shape.
    """
    keys = top_k.keys_of(scores, mask)
    return tf.reshape(top_k.selected_mask(keys, *threshold), tf.shape(mask))


def grow(mask: tf.Tensor, scores: GrowScores, num_grow: Integer) -> tf.Tensor:
    """Adds the highest-scoring inactive connections to a mask.

    Args:
        mask: Boolean tensor, kernel shape.
        scores: Tensor, kernel shape, or a list of functions that return such a
            tensor. Every function of a list grows an equal share of
            connections; earlier functions choose first and get the remainder.
            Ignored if `num_grow` is the integer 0.
        num_grow: Integer or integer scalar tensor.

    Returns:
        Boolean tensor, kernel shape.

    Raises:
        ValueError: If `num_grow` is negative, or fewer connections are
            inactive.

    Example:

    >>> grow(
    ...     [True, False, False], scores=[9.0, 0.1, 0.2], num_grow=1).numpy()
    array([ True, False,  True])
    """
    if isinstance(num_grow, int) and num_grow == 0:
        return mask
    inactive = tf.logical_not(mask)
    left = _check_count(num_grow, count(inactive), "num_grow", "connections")
    functions = score_functions(scores)
    for i, score in enumerate(functions):
        part = equal_part(left, len(functions) - i)
        # Scores are computed after the drop, so that their memory is not
        # needed at the same time.
        with tf.control_dependencies([mask]):
            grown = _highest(score(), part, inactive)
        mask = tf.logical_or(mask, grown)
        inactive = tf.logical_not(mask)
        left -= part
    return mask


def score_functions(scores: GrowScores) -> Sequence[Callable[[], TensorLike]]:
    """Returns the functions that compute the scores for each share of `grow`.

    Args:
        scores: Tensor or list of numbers, or a list of functions that return
            a tensor.

    Returns:
        List of functions without arguments.
    """
    values: Any = scores
    is_list = isinstance(values, list | tuple) and values
    if is_list and all(map(callable, values)):
        return values
    return [lambda: values]


def equal_part(left: tf.Tensor, num_parts: int) -> tf.Tensor:
    """Returns the first of `num_parts` equal parts of `left`, rounded up.

    Args:
        left: Integer tensor, remaining connections to grow.
        num_parts: Integer, number of remaining parts.
    """
    return -(-left // num_parts)


def count_each(masks: Iterable[tf.Tensor]) -> list[tf.Tensor]:
    """Counts the `True` entries of each mask, as a list of int64 scalars.

    Masks are counted one after another: in a graph, independent counts would
    hold temporaries of all masks at once.

    Args:
        masks: Iterable of boolean tensors.
    """
    totals, masks = [], iter(masks)
    while True:
        with tf.control_dependencies(totals[-1:]):
            mask = next(masks, None)  # created after the previous count
            if mask is None:
                return totals
            totals.append(count(mask))


def count_in_top_k(
    scores: Sequence[Callable[..., tuple[TensorLike, TensorLike | None]]],
    k: Integer,
    num_tiles: Sequence[int] | None = None,
) -> list[tf.Tensor]:
    """Counts how many of the `k` highest scores are in each layer.

    Layers are processed one after another, so this needs the memory of the
    largest layer. Ties go to the earlier layer.

    Args:
        scores: List of functions, one for each layer, from the index `tile` of
            a tile to a tensor of scores and a boolean tensor of candidates,
            both of the same shape.
        k: Integer or integer scalar tensor.
        num_tiles: List of integers, number of tiles of each layer; 1 by
            default. In a graph, a loop runs over them.

    Returns:
        List of int64 scalars that add up to `k`, or to the number of
        candidates if that is smaller.
    """
    layers = [lambda tile, s=s: top_k.keys_of(*s(tile=tile)) for s in scores]
    return top_k.counts_in_top_k(
        layers, tf.cast(k, tf.int64), num_tiles or [1] * len(layers)
    )


def _highest(
    scores: TensorLike, k: tf.Tensor, candidates: TensorLike | None
) -> tf.Tensor:
    """Returns a mask of the `k` best candidates; there must be `k`."""
    keys = top_k.keys_of(scores, candidates)
    mask = top_k.selected_mask(keys, *top_k.top_k_threshold(keys, k))
    return tf.reshape(mask, tf.shape(scores))


def _check_count(
    k: Integer, available: Integer, name: str, what: str
) -> tf.Tensor:
    """Returns `k` as an int64 scalar; checks it against `available`."""
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
