"""Arithmetic of steps, shared by all schedules."""

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
