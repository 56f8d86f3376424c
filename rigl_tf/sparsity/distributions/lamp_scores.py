"""LAMP: layer densities by the magnitudes of weights."""

import math
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np

from rigl_tf.sparsity.distributions.layer_arguments import check_scores
from rigl_tf.sparsity.distributions.layer_arguments import fixed_sparsities
from rigl_tf.sparsity.distributions.layer_arguments import free_layers
from rigl_tf.typing import Names
from rigl_tf.typing import Shape


def lamp(
    shapes: Sequence[Shape],
    sparsity: float,
    *,
    scores: Sequence[np.ndarray] | None = None,
    names: Sequence[str] | None = None,
    dense: Names = (),
    custom: Mapping[str, float] | None = None,
    first: object = None,
) -> list[float]:
    """Shares connections by layer-adaptive magnitude scores (LAMP).

    The score of a connection is w^2, divided by the sum of w^2 over all
    connections of its layer that are not smaller. A layer keeps as many
    connections as it has among the highest scores of all layers. The score of
    the largest weight of a layer is 1, so no layer becomes empty.

    Args:
        shapes: List of tuples, the kernel shapes.
        sparsity: Float in [0, 1), the fraction of zeros over all layers that
            are neither `dense` nor `custom`.
        scores: List of arrays of kernel shape, |w| or another score that is
            not negative, which takes the place of |w|. `sparsify` passes |w|
            of the model, and a ticket finder its own scores.
        names: List of strings, the layers' names. Defaults to `layer_0`,
            `layer_1` and so on.
        dense: Names, or patterns with `*`, of layers to keep dense.
        custom: Dictionary from name, or pattern, to sparsity in [0, 1).
        first: No effect: use `dense` to keep a layer dense.

    Returns:
        List of floats, a sparsity per layer.

    Raises:
        ValueError: If an argument is out of range or missing, a name matches
            no layer, or a layer would be empty.

    Example:

    >>> scores = np.array([[1, 2, 3]]), np.array([[0.1, 0.1, 0.2]])
    >>> sparsities = lamp([(1, 3), (1, 3)], 1 / 3, scores=scores)
    >>> [round(sparsity, 3) for sparsity in sparsities]
    [0.333, 0.333]

    Reference:
        [Lee et al., 2021](https://arxiv.org/abs/2010.07611), section 3.
    """
    del first
    fixed, names = fixed_sparsities(shapes, sparsity, names, dense, custom)
    scores = check_scores(scores, shapes, "lamp")
    free = free_layers(names, fixed, dense, custom)
    sizes = [math.prod(shapes[i]) for i in free]
    count = round(sum(sizes) * (1 - sparsity))
    if count < len(free):
        raise ValueError(
            "Every layer must have at least one connection. Received: "
            f"sparsity={sparsity}, which leaves {count} connections to "
            f"{len(free)} layers. Lower the sparsity."
        )
    counts = _counts_in_highest([_normalized(scores[i]) for i in free], count)
    for i, size, kept in zip(free, sizes, counts, strict=True):
        fixed[names[i]] = 1 - kept / size
    return [fixed[name] for name in names]


def _normalized(score: np.ndarray) -> np.ndarray:
    """Returns the LAMP scores of a layer, from the highest to the lowest."""
    # Relative to the largest, so that squares neither overflow nor vanish.
    ordered = np.sort(np.ravel(score).astype("float64"))[::-1]
    squares = np.square(ordered / (ordered[0] or 1))
    squares[0] = 1  # of a layer of zeros, too
    return squares / np.cumsum(squares)


def _counts_in_highest(layers: Sequence[np.ndarray], count: int) -> list[int]:
    """Counts the highest values in each layer; earlier layers win ties."""
    values = np.concatenate(layers)
    threshold = np.partition(values, values.size - count)[values.size - count]
    above = [int(np.count_nonzero(layer > threshold)) for layer in layers]
    left = count - sum(above)
    for i, layer in enumerate(layers):
        equal = min(int(np.count_nonzero(layer == threshold)), left)
        above[i] += equal
        left -= equal
    return above
