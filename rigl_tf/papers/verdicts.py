"""Tests of claims: paired differences, their intervals, and verdicts."""

import dataclasses
import math
import statistics
from collections.abc import Sequence

from rigl_tf.utils import extras

with extras.needed("runs"):
    from scipy import stats

CONFIDENCE = 0.95


@dataclasses.dataclass(frozen=True)
class Difference:
    """The difference of two methods over runs with the same seeds.

    Attributes:
        first: List of floats, one for each seed.
        second: List of floats, for the same seeds.

    Example:

    >>> found = Difference([90.0, 91.0, 92.0], [88.0, 90.0, 90.0])
    >>> round(found.mean, 2), round(found.p_value, 3)
    (1.67, 0.038)
    """

    first: Sequence[float]
    second: Sequence[float]

    @property
    def _pairs(self):
        return [
            one - other
            for one, other in zip(self.first, self.second, strict=True)
        ]

    @property
    def mean(self) -> float:
        """Float, the mean of the differences."""
        return statistics.mean(self._pairs)

    @property
    def interval(self) -> tuple[float, float]:
        """Pair of floats, the interval of Student's t at 95 %."""
        pairs = self._pairs
        if len(pairs) < 2:
            return -math.inf, math.inf
        spread = statistics.stdev(pairs) / math.sqrt(len(pairs))
        reach = stats.t.ppf((1 + CONFIDENCE) / 2, len(pairs) - 1) * spread
        return self.mean - reach, self.mean + reach

    @property
    def p_value(self) -> float:
        """Float, the two-sided p-value of the paired t-test."""
        pairs = self._pairs
        if len(pairs) < 2:
            return math.nan
        if statistics.stdev(pairs) == 0:
            return 0.0 if pairs[0] else 1.0
        return float(stats.ttest_1samp(pairs, 0.0).pvalue)

    def shows(self, expected: str, margin: float) -> bool | None:
        """Returns whether the difference is as expected.

        Args:
            expected: String, one of `claims.EXPECTED`.
            margin: Float, the largest difference that counts as the same.

        Returns:
            `True` if the whole interval is as expected, `False` if no value in
            it is, else `None`: more seeds are needed.
        """
        low, high = self.interval
        if expected == "lower":
            low, high = -high, -low
        if expected in ("higher", "lower"):
            return True if low > 0 else False if high <= 0 else None
        is_within = expected == "not lower" or high <= margin
        if low >= -margin and is_within:
            return True
        is_beyond = expected == "same" and low > margin
        return False if high < -margin or is_beyond else None


def verdict(shown: Sequence[bool | None]) -> str:
    """Returns the verdict on a claim from its cases.

    Args:
        shown: List of the results of `Difference.shows`.

    Returns:
        String: `"holds"` in all cases, `"holds in part"` if it is shown in
        some, `"does not hold"` if it is refuted in some and shown in none, or
        `"undecided"`.

    >>> verdict([True, True]), verdict([True, None]), verdict([None, False])
    ('holds', 'holds in part', 'does not hold')
    """
    if shown and all(shown):
        return "holds"
    if any(shown):
        return "holds in part"
    return "does not hold" if False in shown else "undecided"
