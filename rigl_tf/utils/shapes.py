"""Checks of shapes that several networks take."""

from collections.abc import Sequence
from typing import Any


def check_shape(
    name: str, shape: Sequence[int], num: int | None = None
) -> None:
    """Raises a ValueError unless `shape` has `num` positive integers."""
    if not isinstance(shape, tuple | list):
        raise ValueError(
            f"`{name}` must be a tuple of integers. "
            f"Received: {name}={shape!r}. For a single one, write "
            f"({shape!r},)."
        )
    if num is not None and len(shape) != num:
        raise ValueError(
            f"`{name}` must have {num} entries"
            f"{': height, width, channels' if num == 3 else ''}. "
            f"Received: {name}={shape}."
        )
    for size in shape:
        if not _is_size(size):
            raise ValueError(
                f"`{name}` must consist of integers of at least 1. "
                f"Received: {name}={shape}."
            )


def _is_size(size: Any) -> bool:
    is_integer = isinstance(size, int) and not isinstance(size, bool)
    return is_integer and size >= 1
