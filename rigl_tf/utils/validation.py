"""Checks of arguments that several modules take."""

import math
import numbers
from collections.abc import Collection
from typing import Any
from typing import TypeGuard


def is_number(value: Any) -> TypeGuard[float]:
    """Returns whether a value is a finite real number, Python's or NumPy's."""
    is_real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return is_real and math.isfinite(value)


def check_number(name: str, value: Any, interval: str = "(-inf, inf)") -> None:
    """Raises a ValueError unless a value is a finite number in an interval.

    Args:
        name: String, the argument's.
        value: What was received.
        interval: String such as `"[0, 1)"`.
    """
    low, high = map(float, interval[1:-1].split(","))
    ends = {low: interval[0] == "[", high: interval[-1] == "]"}
    if not (is_number(value) and low <= value <= high and ends.get(value, 1)):
        raise ValueError(
            f"`{name}` must be a number in {interval}. "
            f"Received: {name}={value!r}."
        )


def check_count(
    name: str, value: Any, least: int = 1, optional: bool = False
) -> None:
    """Raises a ValueError unless a value is an integer of at least `least`.

    With `optional`, it may be `None`, too.
    """
    if optional and value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(
            f"`{name}` must be an integer of at least {least}. "
            f"Received: {name}={value!r}."
        )


def check_function(name: str, value: Any, of: str) -> None:
    """Raises a TypeError unless a value can be called, with what `of` says."""
    if not callable(value):
        raise TypeError(
            f"`{name}` must be a function of {of}. Received: {name}={value!r}."
        )


def check_choice(name: str, value: Any, choices: Collection[Any]) -> None:
    """Raises a ValueError if a value is not among those to choose from."""
    if value not in choices:
        raise ValueError(
            f"`{name}` must be one of {', '.join(map(repr, choices))}. "
            f"Received: {name}={value!r}."
        )
