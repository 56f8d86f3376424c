"""The schedule of mask updates."""

import dataclasses
from typing import Any

import tensorflow as tf

from rigl_tf.sparsity.schedules.steps import check_range
from rigl_tf.sparsity.schedules.steps import check_step
from rigl_tf.typing import Integer
from rigl_tf.utils.serialization import Config
from rigl_tf.utils.validation import check_number


@dataclasses.dataclass(frozen=True)
class UpdateSchedule(Config):
    """Updates masks at `interval`, `2 * interval` and so on, not at step 0.

    Args:
        interval: Integer, steps between two updates, Delta T in the papers.
            `None` means one epoch of the first `fit`.
        begin_step: Integer, the first step at which an update may be due.
        end_step: Integer, the step from which no update is due, T_end in the
            papers. `None` means `end_fraction` of the steps of the first
            `fit`.
        end_fraction: Float in (0, 1].

    Example:

    >>> schedule = rigl_tf.schedules.UpdateSchedule(100, end_step=300)
    >>> [bool(schedule(step)) for step in (0, 100, 150, 200, 300)]
    [False, True, False, True, False]
    """

    interval: int | None = 100
    begin_step: int = 0
    end_step: int | None = None
    end_fraction: float = 0.75

    def __post_init__(self) -> None:
        if self.interval is not None:
            check_step(self.interval, "interval", least=1)
        check_range(self.begin_step, self.end_step)
        check_number("end_fraction", self.end_fraction, "(0, 1]")

    def __call__(self, step: Integer) -> bool | tf.Tensor:
        """Returns whether an update is due, as a boolean or a tensor."""
        now: Any = step  # TensorFlow's stubs have no `%`
        is_multiple = now % self._known_interval() == 0
        due = is_multiple & (now >= max(self.begin_step, 1))
        return due if self.end_step is None else due & (now < self.end_step)

    def steps(self, start: int, stop: int) -> range:
        """Returns the steps in [start, stop) at which an update is due."""
        interval = self._known_interval()
        first = max(start, self.begin_step, interval)
        first += -first % interval
        stop = stop if self.end_step is None else min(stop, self.end_step)
        return range(first, max(stop, first), interval)

    def _known_interval(self) -> int:
        if self.interval is None:
            raise ValueError(
                "The schedule must have an `interval` before it is called. "
                "Received: interval=None. Pass a number of steps; only `fit` "
                "replaces `None`."
            )
        return self.interval
