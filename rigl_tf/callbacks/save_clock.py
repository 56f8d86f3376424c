"""When the next checkpoint is due."""

import contextlib
import time

_MOST_TIME = 0.02  # of training, for checkpoints by the clock


class SaveClock:
    """Counts steps and seconds since the last checkpoint.

    Args:
        every: Integer, steps between two checkpoints, or `None`.
        seconds: Number, minimum seconds between two checkpoints if `every` is
            `None`; more if the last one took more than 2 % of them.
        several_workers: Boolean, whether all workers must decide alike. Their
            clocks differ, so without `every` only the end of an epoch counts.
    """

    def __init__(self, every, seconds, several_workers):
        self._every = every
        self._seconds = seconds
        self._several_workers = several_workers
        self._cost = 0.0  # seconds of the last checkpoint
        self._steps = 0  # since then
        self.restart()

    def restart(self):
        """Starts to count again."""
        self._last = time.monotonic()
        self._steps = 0

    @contextlib.contextmanager
    def saving(self):
        """Starts to count again, and times the checkpoint in the context."""
        self.restart()
        yield
        self._cost = time.monotonic() - self._last

    def count(self, steps):
        """Counts further steps."""
        self._steps += steps

    def is_due(self, epoch_ends, is_asked):
        """Returns whether a checkpoint is due.

        Args:
            epoch_ends: Boolean, whether this is the end of an epoch.
            is_asked: Boolean, whether a signal has asked for a checkpoint.
        """
        if self._every is not None and self._steps >= self._every:
            return True
        if self._several_workers:
            return epoch_ends and self._every is None
        if is_asked:
            return True
        wait = self._seconds
        if wait:
            wait = max(wait, self._cost / _MOST_TIME)
        return self._every is None and time.monotonic() - self._last >= wait
