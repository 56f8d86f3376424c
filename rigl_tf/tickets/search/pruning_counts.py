"""How many connections a ticket keeps, in whole connections."""

import math

from rigl_tf.utils.validation import is_number


def total(size, density):
    """The nearest integer to `size * density`.

    Args:
        size: Integer, connections of the dense network.
        density: Float in (0, 1), the fraction kept.

    Raises:
        ValueError: If the density is out of range, or keeps nothing.
    """
    if not is_number(density) or not 0 < density < 1:
        raise ValueError(
            "`density`, the fraction of connections that a ticket keeps, "
            f"must be above 0 and below 1. Received: density={density!r}."
        )
    count = math.floor(size * density + 0.5)
    if count < 1:
        raise ValueError(
            f"A density of {density} keeps none of {size} connections."
        )
    return count


def exponential(size, density, num):
    """Counts that shrink by the same fraction each time.

    Args:
        size: Integer, connections at the beginning.
        density: Float in (0, 1), what the last count keeps of them.
        num: Integer, at least 1, how many counts.

    Returns:
        List of integers: the nearest to `size * density ** (j / num)`, for j
        from 1.
    """
    return [
        math.floor(size * density ** (j / num) + 0.5) for j in range(1, num + 1)
    ]


def linear(size, density, num):
    """Counts that shrink by the same number; see `exponential`."""
    return [
        math.floor(size * (1 - (1 - density) * j / num) + 0.5)
        for j in range(1, num + 1)
    ]


def within_epochs(size, density, epochs, period):
    """Counts of a search that prunes after every `period`-th epoch.

    At least one epoch follows the last pruning, so that there are
    (epochs - 1) // period of them.

    Args:
        size: Integer, connections at the beginning.
        density: Float in (0, 1).
        epochs: Integer, epochs of the search.
        period: Integer, at least 1.

    Returns:
        List of integers, as of `exponential`.

    Raises:
        ValueError: If there is no time to prune at all.
    """
    if not isinstance(period, int) or not 1 <= period < epochs:
        raise ValueError(
            "`period`, the epochs from one pruning to the next, must be an "
            "integer of at least 1 and below the epochs of the search, "
            f"{epochs}: the density cannot be reached otherwise. Search for "
            f"more `epochs`, or prune more often. Received: period={period!r}."
        )
    return exponential(size, density, (epochs - 1) // period)


def rounds(density, rate):
    """Rounds of pruning after which about `density` is left.

    Args:
        density: Float in (0, 1).
        rate: Float in (0, 1), about what each round prunes of what is left.

    Returns:
        Integer, at least 1, the nearest.
    """
    return max(round(math.log(density) / math.log(1 - rate)), 1)
