"""Any task and method, cut down to a few steps, to see that they work."""

import dataclasses

from rigl_tf.experiments.methods import Method
from rigl_tf.experiments.methods import TicketMethod
from rigl_tf.sparsity.schedules import UpdateSchedule

EPOCHS = 3
EXAMPLES = 8  # of data sets that are faked

# What finders are given instead, where they have it.
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


# As often as an update may take the place of an optimizer step.
_OFTEN = UpdateSchedule(2, end_fraction=1.0)


def shortened(task, method):
    """The same task and method, with little to do.

    Args:
        task: `Task`.
        method: As for `experiments.train`.

    Returns:
        Pair of both.
    """
    task = dataclasses.replace(task, epochs=EPOCHS)
    if isinstance(method, TicketMethod):
        finder = _shortened_finder(method.finder)
        method = dataclasses.replace(method, finder=finder)
    elif isinstance(method, Method):
        if isinstance(method.schedule, UpdateSchedule):
            method = dataclasses.replace(method, schedule=_OFTEN)
    return task, method


def _shortened_finder(finder):
    less = {
        field.name: _LESS[field.name]
        for field in dataclasses.fields(finder)
        # What is left out, such as a period, stays out.
        if field.name in _LESS and getattr(finder, field.name)
    }
    if hasattr(finder, "start"):
        less["start"] = _shortened_finder(finder.start)
    if hasattr(finder, "schedule"):
        less["schedule"] = _OFTEN
    return dataclasses.replace(finder, **less)
