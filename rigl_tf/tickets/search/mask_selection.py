"""Selection of masks from scores and counts."""

from typing import Any

import numpy as np


def global_top_k(scores, count, keep_alive=True, seed=0):
    """Keeps the highest scores of all layers together.

    The choice between equal scores is random and prefers no layer.

    Args:
        scores: Dictionary from kernel name to an array of floats of the
            kernel's shape. Connections with the score `-inf` are never kept.
        count: Integer, total number of connections to keep.
        keep_alive: Boolean, whether to always keep the best connection of each
            layer.
        seed: Integer.

    Returns:
        Dictionary from kernel name to a boolean array, with `count` entries
        `True` in total.

    Raises:
        ValueError: If a score is NaN, if `count` is more than the number of
            candidates or less than the number of layers to keep alive, or if
            a layer would become empty.
    """
    check_scores(scores)
    flat = np.concatenate([np.ravel(s) for s in scores.values()])
    candidates = np.count_nonzero(flat > -np.inf)
    if count > candidates:
        raise ValueError(
            f"At least {count} connections must have a score. Received: "
            f"{candidates}. Lower the density."
        )
    sizes = [np.size(s) for s in scores.values()]
    starts = np.cumsum([0, *sizes[:-1]])
    if keep_alive:
        if count < len(sizes):
            raise ValueError(
                f"The density must keep a connection for each of {len(sizes)} "
                f"layers. Received: a density that keeps {count} connections. "
                "Raise the density, or exclude layers."
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
            "Every layer must keep a connection. Received scores that leave "
            f"these layers empty: {', '.join(empty)}. Raise the density, "
            "exclude these layers, or keep their best connection with "
            "`keep_alive=True`."
        )
    return masks


def mask_scores(mask, score):
    """Sets scores to `-inf` where a mask is `False`."""
    return np.where(mask, score, -np.inf)


def layerwise_top_k(scores, counts, seed=0):
    """Keeps the highest scores of each layer.

    Args:
        scores: As for `global_top_k`.
        counts: List of integers of at least 1, the number of connections to
            keep in each layer.
        seed: Integer.

    Returns:
        Dictionary from kernel name to a boolean array.
    """
    check_scores(scores)
    rng = np.random.default_rng(seed % 2**64)
    return {
        name: _highest(np.ravel(score), count, rng).reshape(np.shape(score))
        for (name, score), count in zip(scores.items(), counts, strict=True)
    }


def outputwise_top_k(scores, counts, layouts, seed=0):
    """Keeps the highest scores of each output of each layer.

    If a count is not a multiple of the number of outputs, some outputs keep
    one input more: those whose next input has the highest scores.

    Args:
        scores: As for `global_top_k`.
        counts: List of integers of at least 1, the number of connections to
            keep in each layer.
        layouts: List of `Layout`, the dimensions of each kernel.
        seed: Integer.

    Returns:
        Dictionary from kernel name to a boolean array.
    """
    check_scores(scores)
    masks = {}
    for i, ((name, score), count, layout) in enumerate(
        zip(scores.items(), counts, layouts, strict=True)
    ):
        matrix = layout.matrix(score).numpy()
        kept = highest_in_columns(matrix, count, (seed % 2**64, i))
        masks[name] = layout.unstack(kept).numpy()
    return masks


def highest_in_columns(matrix, count, seed: Any = 0):
    """Keeps the highest scores of each column: equally many, or one more.

    Args:
        matrix: Array of scores.
        count: Integer, the entries to keep. If it is not a multiple of the
            number of columns, the columns whose next entries are highest keep
            one more.
        seed: Seed of NumPy, for the choice between equal scores.

    Returns:
        Boolean array of the shape of `matrix`.
    """
    rng = np.random.default_rng(seed)
    base, more = divmod(count, matrix.shape[1])
    order = np.lexsort((rng.random(matrix.shape), -matrix), axis=0)
    kept = np.zeros(matrix.shape, bool)
    np.put_along_axis(kept, order[:base], True, axis=0)
    if more:
        following = np.take_along_axis(matrix, order[base : base + 1], 0)
        chosen = _highest(following[0], more, rng)
        kept[order[base][chosen], np.flatnonzero(chosen)] = True
    return kept


def check_scores(scores):
    """Raises a ValueError if scores are NaN, and names the layers."""
    bad = [name for name, score in scores.items() if np.isnan(score).any()]
    if bad:
        raise ValueError(
            f"Scores must be numbers. Received NaN in {', '.join(bad)}. Check "
            "that the loss of the untrained network is finite, and train in "
            "float32."
        )


def _highest(flat, count, rng):
    """Returns a boolean array with exactly `count` entries `True`."""
    threshold = np.partition(flat, flat.size - count)[flat.size - count]
    kept = flat > threshold
    equal = np.flatnonzero(flat == threshold)
    missing = count - np.count_nonzero(kept)
    kept[rng.choice(equal, missing, replace=False)] = True
    return kept
