"""When an update of the masks is due."""

import dataclasses

from rigl_tf.sparsity.schedules.steps import check_range
from rigl_tf.sparsity.schedules.steps import check_step
from rigl_tf.utils.serialization import Config
from rigl_tf.utils.validation import check_number


@dataclasses.dataclass(frozen=True)
class UpdateSchedule(Config):
    """Updates at `interval`, `2 * interval` and so on; never at step 0.

    Args:
        interval: Integer, steps between two updates. The papers' Delta T.
            `None` stands for an epoch of the first `fit`.
        begin_step: Integer, the first step at which an update may be due.
        end_step: Integer, the step from which on none is due: the papers'
            T_end. `None` stands for `end_fraction` of the first `fit`'s steps.
        end_fraction: Float in (0, 1].
    """

    interval: int | None = 100
    begin_step: int = 0
    end_step: int | None = None
    end_fraction: float = 0.75

    def __post_init__(self):
        if self.interval is not None:
            check_step(self.interval, "interval", least=1)
        check_range(self.begin_step, self.end_step)
        check_number("end_fraction", self.end_fraction, "(0, 1]")

    def __call__(self, step):
        """Returns whether an update is due, as a boolean or a tensor."""
        due = (step % self.interval == 0) & (step >= max(self.begin_step, 1))
        return due if self.end_step is None else due & (step < self.end_step)

    def steps(self, start, stop):
        """The steps in [start, stop) at which an update is due, as a range."""
        interval = self.interval
        first = max(start, self.begin_step, interval)
        first += -first % interval
        stop = stop if self.end_step is None else min(stop, self.end_step)
        return range(first, max(stop, first), interval)
