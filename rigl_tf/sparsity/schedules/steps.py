"""Arithmetic of steps, shared by all schedules."""

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from rigl_tf.typing import Integer
from rigl_tf.typing import Number


def progress(
    step: Integer, begin_step: int | None, end_step: int | None
) -> Number:
    """Returns the fraction of [begin_step, end_step] that has passed."""
    if end_step is None:
        raise ValueError(
            "The schedule must have an `end_step` before it is called. "
            "Received: end_step=None. Pass a number of steps; only `fit` "
            "replaces `None`."
        )
    library = library_of(step)
    begin_step = begin_step or 0
    if library is tf:
        step = tf.cast(step, tf.float64)
    # An empty range ends where it starts: one shot, without 0 / 0.
    length = max(end_step - begin_step, 1e-9)
    done = (step - begin_step + (end_step == begin_step) * 1e-9) / length
    return library.minimum(library.maximum(done, 0.0), 1.0)


def library_of(step: Integer) -> Any:
    """Returns TensorFlow for a tensor and NumPy for a number."""
    return tf if tf.is_tensor(step) else np


def check_step(step: Any, name: str, least: int = 0) -> None:
    """Raises a ValueError unless a step is an integer of at least `least`."""
    if isinstance(step, bool) or not isinstance(step, int | np.integer):
        raise ValueError(
            f"`{name}` counts steps and must be an integer. "
            f"Received: {name}={step!r}."
        )
    if step < least:
        raise ValueError(
            f"`{name}` must be at least {least}. Received: {name}={step}."
        )


def check_range(begin_step: int | None, end_step: int | None) -> None:
    """Raises a ValueError unless two steps, or `None`, are in order."""
    if begin_step is not None:
        check_step(begin_step, "begin_step")
    if end_step is not None:
        check_step(end_step, "end_step")
        if (begin_step or 0) > end_step:
            raise ValueError(
                "`begin_step` must not come after `end_step`. Received: "
                f"begin_step={begin_step}, end_step={end_step}."
            )


Pieces = tuple[tuple[int, float], ...]
"""Pairs of a step and the value from this step on, in order."""


def checked_pieces(
    values: Mapping | Any, name: str, check: Callable[[Any, str], None]
) -> Pieces:
    """Returns the sorted pairs of a dictionary from steps to values.

    Args:
        values: Dictionary from an integer, the step at which a value starts,
            to a float, or its pairs: JSON has no integer keys.
        name: String, the name of the argument, for messages.
        check: Function of a value and a name that raises a ValueError.

    Raises:
        ValueError: If a step or a value is out of range, or if no value starts
            at step 0.
    """
    try:
        pairs = tuple(sorted(dict(values).items()))
    except (TypeError, ValueError):
        pairs = ()
    for step, value in pairs:
        check_step(step, name)
        check(value, name)
    if not pairs or pairs[0][0] != 0:
        raise ValueError(
            f"`{name}` must be a dictionary from steps to {name}, with one for "
            "step 0, such as {0: 0.3, 1000: 0.1}. "
            f"Received: {name}={values!r}."
        )
    return pairs


def piece_at(pieces: Pieces, step: Integer) -> Number:
    """Returns the value at a step, as a float64 number or tensor."""
    starts, values = zip(*pieces, strict=True)
    if not tf.is_tensor(step):
        index = np.searchsorted(starts, step, side="right") - 1
        return np.float64(values[max(index, 0)])
    has_started = tf.cast(step, tf.int64) >= tf.constant(starts, tf.int64)
    index = tf.reduce_sum(tf.cast(has_started, tf.int32)) - 1
    return tf.gather(tf.constant(values, tf.float64), index)
