"""Numbers of connections to keep, as whole numbers."""

import math

from rigl_tf.modeling import placement
from rigl_tf.modeling.initial_masks import Magnitudes
from rigl_tf.modeling.layer_sparsities import call_distribution
from rigl_tf.sparsity import distributions
from rigl_tf.utils.validation import is_number


def count_to_keep(size, density):
    """Returns the integer nearest to `size * density`.

    Args:
        size: Integer, connections of the dense network.
        density: Float in (0, 1), the fraction to keep.

    Raises:
        ValueError: If the density is out of range, or keeps no connection.
    """
    if not is_number(density) or not 0 < density < 1:
        raise ValueError(
            "`density`, the fraction of connections that a ticket keeps, "
            f"must be above 0 and below 1. Received: density={density!r}."
        )
    count = math.floor(size * density + 0.5)
    if count < 1:
        raise ValueError(
            f"`density` must keep at least one of {size} connections. "
            f"Received: density={density}. Raise it."
        )
    return count


def exponential(size, density, num):
    """Returns counts that shrink by the same fraction each time.

    Args:
        size: Integer, the initial number of connections.
        density: Float in (0, 1), the fraction that the last count keeps.
        num: Integer, at least 1, the number of counts.

    Returns:
        List of integers, the nearest to `size * density ** (j / num)` for j
        from 1 to `num`.
    """
    return [
        math.floor(size * density ** (j / num) + 0.5) for j in range(1, num + 1)
    ]


def linear(size, density, num):
    """Returns counts that shrink by the same number; see `exponential`."""
    return [
        math.floor(size * (1 - (1 - density) * j / num) + 0.5)
        for j in range(1, num + 1)
    ]


def within_epochs(size, density, epochs, period):
    """Returns the counts of a search that prunes after every period.

    At least one epoch follows the last pruning, so the search prunes
    (epochs - 1) // period times.

    Args:
        size: Integer, the initial number of connections.
        density: Float in (0, 1).
        epochs: Integer, epochs of the search.
        period: Integer, at least 1, the epochs between two prunings.

    Returns:
        List of integers, as from `exponential`.

    Raises:
        ValueError: If the search has too few epochs to prune.
    """
    if not isinstance(period, int) or not 1 <= period < epochs:
        raise ValueError(
            "`period`, the epochs between two prunings, must be an integer of "
            f"at least 1 and less than {epochs}, the epochs of the search. "
            f"Received: period={period!r}. Search for more `epochs`, or prune "
            "more often."
        )
    return exponential(size, density, (epochs - 1) // period)


def num_rounds(density, rate):
    """Returns the number of pruning rounds that reach about `density`.

    Args:
        density: Float in (0, 1).
        rate: Float in (0, 1), the approximate fraction of the remaining
            connections that each round prunes.

    Returns:
        Integer, at least 1: the nearest number of rounds.
    """
    return max(round(math.log(density) / math.log(1 - rate)), 1)


def distributed(sparse, distribution, density, scores=None):
    """Returns how many connections to keep of each kernel.

    Args:
        sparse: `SparseModel`.
        distribution: Function of `rigl_tf.distributions`, or its name. Its
            densities are scaled to the density of all kernels together.
        density: Float in (0, 1).
        scores: List of arrays, for distributions that take scores, or `None`.

    Returns:
        List of integers of at least 1.
    """
    kernels = sparse.kernels
    names = [kernel.name for kernel in kernels]
    shapes = [kernel.shape for kernel in kernels]
    distribution = distributions.get(distribution)
    if scores is None:
        scores = Magnitudes(kernels)
    sparsities = call_distribution(
        distribution,
        shapes,
        1 - density,
        names,
        placement.first_layers(sparse.network),
        scores,
    )
    densities = scale_densities(
        [1 - sparsity for sparsity in sparsities],
        [kernel.size for kernel in kernels],
        density,
    )
    return distributions.budgets(
        shapes, [1 - density for density in densities], names=names
    )


def scale_densities(proportions, sizes, density):
    """Scales densities to a total density, and limits each of them to 1.

    Args:
        proportions: List of floats, the densities to scale.
        sizes: List of integers, the connections of each layer.
        density: Float in (0, 1), the density of all layers together.

    Returns:
        List of floats in (0, 1].
    """
    left, result = density * sum(sizes), [0.0] * len(sizes)
    open_layers = set(range(len(sizes)))
    while open_layers:
        factor = left / sum(proportions[i] * sizes[i] for i in open_layers)
        full = {i for i in open_layers if factor * proportions[i] >= 1}
        for i in full or open_layers:
            result[i] = min(factor * proportions[i], 1.0)
        if not full:
            break
        left -= sum(sizes[i] for i in full)
        open_layers -= full
    return result
