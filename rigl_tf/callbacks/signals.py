"""Signals that ask a process to end, heeded when its work is saved."""

import contextlib
import signal
import sys
import time

_AT_ONCE = 1.0  # seconds; a signal may reach a process twice


class Signals:
    """Remembers SIGTERM or SIGINT (Ctrl-C) within a `with` block.

    A second signal, more than a second later, ends the process with the exit
    code of the signal. Outside of the main thread, this class does nothing.

    Attributes:
        number: Integer, the signal that came first, or `None`.
    """

    def __init__(self):
        self.number = None
        self._came = 0.0
        self._waits = False
        self._handlers = {}

    def __enter__(self):
        with contextlib.suppress(ValueError):  # not in the main thread
            for number in (signal.SIGTERM, signal.SIGINT):
                self._handlers[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *error):
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}

    @contextlib.contextmanager
    def wait(self):
        """Lets no signal end the process before the block is done."""
        self._waits = True
        try:
            yield
        finally:
            self._waits = False

    def _note(self, number, frame):
        del frame
        now = time.monotonic()
        if self.number is None:
            self.number, self._came = number, now
        elif now - self._came > _AT_ONCE and not self._waits:
            sys.exit(128 + number)
