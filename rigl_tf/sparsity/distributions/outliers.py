"""OWL: layer densities by the number of outliers."""

import math
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np

from rigl_tf.sparsity.distributions.layer_arguments import check_scores
from rigl_tf.sparsity.distributions.layer_arguments import fixed_sparsities
from rigl_tf.sparsity.distributions.layer_arguments import free_layers
from rigl_tf.typing import Names
from rigl_tf.typing import Shape
from rigl_tf.utils.patterns import block_of
from rigl_tf.utils.validation import check_number

_SPREAD = 0.08


def owl(
    shapes: Sequence[Shape],
    sparsity: float,
    *,
    scores: Sequence[np.ndarray] | None = None,
    outlier_factor: float = 3.0,
    spread: float | None = None,
    blocks: Names = (),
    names: Sequence[str] | None = None,
    dense: Names = (),
    custom: Mapping[str, float] | None = None,
    first: object = None,
) -> list[float]:
    """Gives blocks with more outliers a higher density (OWL).

    An outlier is a connection whose score is more than `outlier_factor` times
    the mean score of its block. Densities rise linearly with the fraction of
    outliers. All layers of a block have the same density.

    Args:
        shapes: List of tuples, the kernel shapes.
        sparsity: Float in [0, 1), the fraction of zeros over all layers that
            are neither `dense` nor `custom`.
        scores: List of arrays of kernel shape. In the paper, they are the
            scores of Wanda, which passes them. `sparsify` passes |w| of the
            model.
        outlier_factor: Float > 0, M in the paper.
        spread: Float >= 0, lambda in the paper: the highest density is twice
            this number above the lowest. By default 0.08, as in the paper, or
            less, such that every density is in (0, 1]: half of the mean
            density, or of its distance from 1.
        blocks: Names, or patterns with `*`, that match one block each. Layers
            that match none of them form a block with the layers whose path
            starts with the same name: `block_1/query` and `block_1/key`.
        names: List of strings, the layers' names. Defaults to `layer_0`,
            `layer_1` and so on.
        dense: Names, or patterns with `*`, of layers to keep dense.
        custom: Dictionary from name, or pattern, to sparsity in [0, 1).
        first: No effect: use `dense` to keep a layer dense.

    Returns:
        List of floats, a sparsity per layer.

    Raises:
        ValueError: If an argument is out of range or missing, a name matches
            no layer, or a density would not be in (0, 1].

    Example:

    >>> scores = np.array([[1, 1, 1, 1]]), np.array([[1, 0, 0, 0]])
    >>> sparsities = owl([(1, 4), (1, 4)], 0.5, scores=scores)
    >>> [round(sparsity, 3) for sparsity in sparsities]
    [0.58, 0.42]

    Reference:
        [Yin et al., 2024](https://arxiv.org/abs/2310.05175), section 3.
    """
    del first
    check_number("outlier_factor", outlier_factor, "(0, inf)")
    if spread is None:
        spread = min(_SPREAD, (1 - sparsity) / 2, sparsity / 2)
    check_number("spread", spread, "[0, inf)")
    fixed, names = fixed_sparsities(shapes, sparsity, names, dense, custom)
    scores = check_scores(scores, shapes, "owl")
    free = free_layers(names, fixed, dense, custom)
    block = block_of(names, blocks)
    parts = {}
    for i in free:
        parts.setdefault(block[names[i]], []).append(np.ravel(scores[i]))
    ratios = {
        name: _outlier_ratio(np.concatenate(each), outlier_factor)
        for name, each in parts.items()
    }
    lowest, highest = min(ratios.values()), max(ratios.values())
    width = (highest - lowest) or 1.0
    rises = [
        2 * spread * (ratios[block[names[i]]] - lowest) / width for i in free
    ]
    sizes = [math.prod(shapes[i]) for i in free]
    shift = 1 - sparsity - np.average(rises, weights=sizes)
    for i, rise in zip(free, rises, strict=True):
        density = float(shift + rise)
        if not 0 < density <= 1 + 1e-9:
            raise ValueError(
                "Densities must be above 0 and at most 1. Received: "
                f"spread={spread} and sparsity={sparsity}, which give "
                f"{names[i]!r} a density of {density:.4f}. Lower `spread`."
            )
        fixed[names[i]] = max(1 - density, 0.0)
    return [fixed[name] for name in names]


def _outlier_ratio(scores: np.ndarray, factor: float) -> float:
    return float(np.mean(scores > factor * np.mean(scores, dtype="float64")))
