"""Numbers of connections to keep, as whole numbers."""

import math

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
