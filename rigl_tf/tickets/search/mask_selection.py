"""Which connections a ticket keeps: scores and counts become masks."""

import numpy as np


def globally(scores, count, keep_alive=True, seed=0):
    """Keeps the highest scores of all layers together.

    Of equal scores, as many as there is room for are chosen at random: those
    of one layer are as good as those of another.

    Args:
        scores: Dictionary from kernel to an array of floats, kernel shape.
            `-inf` marks what must not be kept.
        count: Integer, connections to keep in all.
        keep_alive: Whether the best of each layer is kept in any case.
        seed: Integer.

    Returns:
        Dictionary from kernel to a boolean array, `count` times `True` in
        all.

    Raises:
        ValueError: If a score is NaN, there are fewer candidates or more
            layers to keep alive than `count`, or a layer would be emptied.
    """
    check(scores)
    flat = np.concatenate([np.ravel(s) for s in scores.values()])
    candidates = np.count_nonzero(flat > -np.inf)
    if count > candidates:
        raise ValueError(
            f"{count} connections cannot be kept: only {candidates} have a "
            "score."
        )
    sizes = [np.size(s) for s in scores.values()]
    starts = np.cumsum([0, *sizes[:-1]])
    if keep_alive:
        if count < len(sizes):
            raise ValueError(
                f"A connection for each of {len(sizes)} layers is more than "
                f"the {count} that the density keeps. Raise the density, or "
                "exclude layers."
            )
        for start, size in zip(starts, sizes, strict=True):
            best = start + np.argmax(flat[start : start + size])
            flat[best] = np.inf
    kept = _highest(flat, count, np.random.default_rng(seed % 2**64))
    masks = {
        name: kept[start : start + size].reshape(np.shape(score))
        for (name, score), start, size in zip(
            scores.items(), starts, sizes, strict=True
        )
    }
    empty = [name for name, mask in masks.items() if not mask.any()]
    if empty:
        raise ValueError(
            "The scores leave layers without a single connection: "
            f"{', '.join(empty)}. Raise the density, exclude these layers, or "
            "keep their best connection with `keep_alive=True`."
        )
    return masks


def only(mask, score):
    """Scores by which nothing is kept where a mask is `False`."""
    return np.where(mask, score, -np.inf)


def by_layer(scores, counts, seed=0):
    """Keeps the highest scores of each layer.

    Args:
        scores: As for `globally`.
        counts: List of integers, at least 1, connections to keep in each.
        seed: Integer.

    Returns:
        Dictionary from kernel to a boolean array.
    """
    check(scores)
    rng = np.random.default_rng(seed % 2**64)
    return {
        name: _highest(np.ravel(score), count, rng).reshape(np.shape(score))
        for (name, score), count in zip(scores.items(), counts, strict=True)
    }


def check(scores):
    """Raises a ValueError that names layers whose scores are NaN."""
    bad = [name for name, score in scores.items() if np.isnan(score).any()]
    if bad:
        raise ValueError(
            f"The scores of {', '.join(bad)} are not numbers. Check that the "
            "loss of the untrained network is finite, and train in float32."
        )


def _highest(flat, count, rng):
    """A boolean array with exactly `count` `True` entries."""
    threshold = np.partition(flat, flat.size - count)[flat.size - count]
    kept = flat > threshold
    equal = np.flatnonzero(flat == threshold)
    missing = count - np.count_nonzero(kept)
    kept[rng.choice(equal, missing, replace=False)] = True
    return kept
