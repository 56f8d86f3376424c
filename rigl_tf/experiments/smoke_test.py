"""Smoke tests: any task and method, shortened to a few steps."""

import dataclasses

from rigl_tf.experiments.methods import Method
from rigl_tf.experiments.methods import TicketMethod
from rigl_tf.sparsity.schedules import UpdateSchedule

EPOCHS = 3
EXAMPLES = 8  # in mock data sets

# The short values of arguments that a finder may have.
_LESS = {
    "epochs": EPOCHS,
    "new_batches": False,
    "num_batches": 1,
    "num_iterations": 2,
    "num_trials": 2,
    "period": 1,
    "rate": 0.9,
    "rewind_step": 1,
}


# The most frequent updates: each replaces an optimizer step.
_OFTEN = UpdateSchedule(2, end_fraction=1.0)


def shorten(task, method):
    """Returns a task and a method that need only a few steps.

    Args:
        task: `Task`.
        method: As for `experiments.train`.

    Returns:
        Pair of the task and the method.
    """
    task = dataclasses.replace(task, epochs=EPOCHS)
    if isinstance(method, TicketMethod):
        finder = _shorten_finder(method.finder)
        method = dataclasses.replace(method, finder=finder)
    elif isinstance(method, Method):
        if isinstance(method.schedule, UpdateSchedule):
            method = dataclasses.replace(method, schedule=_OFTEN)
    return task, method


def _shorten_finder(finder):
    less = {
        field.name: _LESS[field.name]
        for field in dataclasses.fields(finder)
        # An argument that is `None`, such as a period, stays `None`.
        if field.name in _LESS and getattr(finder, field.name)
    }
    for name in ("start", "finder"):
        if hasattr(finder, name):
            less[name] = _shorten_finder(getattr(finder, name))
    if hasattr(finder, "schedule"):
        less["schedule"] = _OFTEN
    return dataclasses.replace(finder, **less)
