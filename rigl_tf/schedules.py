"""When an update is due, what fraction changes then, what sparsity is wanted.

All steps are optimizer steps completed, counted from 0. Schedules are called
with a Python number or, in a graph, with a scalar tensor; they compute in
64-bit floats.
"""

import dataclasses
import math

import numpy as np
import tensorflow as tf

from rigl_tf.checks import check_number
from rigl_tf.config import Config
from rigl_tf.distributions import check_sparsity


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
            _check_step(self.interval, "interval", least=1)
        _check_range(self.begin_step, self.end_step)
        check_number("end_fraction", self.end_fraction, "(0, 1]")

    def __call__(self, step):
        """Whether an update is due: a boolean, or a boolean tensor."""
        due = (step % self.interval == 0) & (step >= max(self.begin_step, 1))
        return due if self.end_step is None else due & (step < self.end_step)

    def steps(self, start, stop):
        """The steps in [start, stop) at which an update is due, as a range."""
        interval = self.interval
        first = max(start, self.begin_step, interval)
        first += -first % interval
        stop = stop if self.end_step is None else min(stop, self.end_step)
        return range(first, max(stop, first), interval)


@dataclasses.dataclass(frozen=True)
class Constant(Config):
    """Replaces the same fraction at every update.

    Args:
        initial: Float in [0, 1], fraction of a layer's active connections.
    """

    initial: float = 0.3

    def __post_init__(self):
        check_number("initial", self.initial, "[0, 1]")

    def __call__(self, step):
        del step
        # A Python float would become a 32-bit tensor.
        return np.float64(self.initial)


@dataclasses.dataclass(frozen=True)
class Cosine(Config):
    """Lets the fraction fall to 0 along half a cosine.

    Args:
        initial: Float in [0, 1], fraction of a layer's active connections at
            `begin_step`. The papers' alpha.
        begin_step: Integer, or `None` for the update schedule's.
        end_step: Integer, or `None` for the update schedule's.

    Reference:
        [Evci et al., 2020](https://arxiv.org/abs/1911.11134), section 3 (2).
    """

    initial: float = 0.3
    begin_step: int | None = None
    end_step: int | None = None

    def __post_init__(self):
        check_number("initial", self.initial, "[0, 1]")
        _check_range(self.begin_step, self.end_step)

    def __call__(self, step):
        done = _progress(step, self.begin_step, self.end_step)
        return self.initial / 2 * (1 + _library(step).cos(math.pi * done))


@dataclasses.dataclass(frozen=True)
class InversePower(Config):
    """Lets the fraction fall to 0 as (1 - progress) ** power.

    Args:
        initial: Float in [0, 1], fraction of a layer's active connections at
            `begin_step`.
        power: Float > 0; 1 is linear.
        begin_step: Integer, or `None` for the update schedule's.
        end_step: Integer, or `None` for the update schedule's.

    Reference:
        [Evci et al., 2020](https://arxiv.org/abs/1911.11134), appendix G.
    """

    initial: float = 0.3
    power: float = 1.0
    begin_step: int | None = None
    end_step: int | None = None

    def __post_init__(self):
        check_number("initial", self.initial, "[0, 1]")
        check_number("power", self.power, "(0, inf)")
        _check_range(self.begin_step, self.end_step)

    def __call__(self, step):
        done = _progress(step, self.begin_step, self.end_step)
        return self.initial * (1 - done) ** self.power


@dataclasses.dataclass(frozen=True)
class ConstantSparsity(Config):
    """Wants the same sparsity at every step.

    Args:
        sparsity: Float in [0, 1), fraction of zeros.
    """

    sparsity: float

    def __post_init__(self):
        check_sparsity(self.sparsity)

    def __call__(self, step):
        del step
        # A Python float would become a 32-bit tensor.
        return np.float64(self.sparsity)


@dataclasses.dataclass(frozen=True)
class PolynomialSparsity(Config):
    """Raises the sparsity fast at first and slowly in the end.

    Args:
        final: Float in [0, 1), sparsity from `end_step` on.
        initial: Float in [0, 1), sparsity up to `begin_step`.
        begin_step: Integer, or `None` for the update schedule's.
        end_step: Integer, or `None` for the last update. Equal to
            `begin_step` it prunes in one shot.
        power: Float > 0; 3 is the cubic schedule.
        allow_decrease: Whether `final` may be below `initial`.

    Reference:
        [Zhu & Gupta, 2017](https://arxiv.org/abs/1710.01878), equation 1.
    """

    final: float
    initial: float = 0.0
    begin_step: int | None = None
    end_step: int | None = None
    power: float = 3.0
    allow_decrease: bool = False

    def __post_init__(self):
        check_sparsity(self.final, "final")
        check_sparsity(self.initial, "initial")
        check_number("power", self.power, "(0, inf)")
        _check_range(self.begin_step, self.end_step)
        if self.final < self.initial and not self.allow_decrease:
            raise ValueError(
                "`final` sparsity must not be below `initial`. Received: "
                f"initial={self.initial}, final={self.final}. Set "
                "`allow_decrease=True` if connections are to come back."
            )

    def __call__(self, step):
        left = 1 - _progress(step, self.begin_step, self.end_step)
        return self.final + (self.initial - self.final) * left**self.power


def complete(schedule, updates):
    """Fills in the steps that a schedule leaves to the update schedule.

    Args:
        schedule: One of the dataclasses above, or any other callable, which
            comes back unchanged.
        updates: `UpdateSchedule` with an `end_step`.
    """
    if not isinstance(schedule, Cosine | InversePower | PolynomialSparsity):
        return schedule
    begin_step, end_step = schedule.begin_step, schedule.end_step
    if begin_step is None:
        begin_step = updates.begin_step
    if end_step is None:
        end_step = updates.end_step
        due = updates.steps(0, end_step)
        if due and isinstance(schedule, PolynomialSparsity):
            end_step = due[-1]  # so that the last update reaches `final`
    return dataclasses.replace(
        schedule, begin_step=min(begin_step, end_step), end_step=end_step
    )


def decides_when(schedule):
    """Whether a pruning schedule says when, too: `(bool, sparsity)`.

    The dataclasses of this module return a sparsity. Anything else, such as
    the schedules of the TensorFlow Model Optimization toolkit, must return a
    pair. `None`, where the sparsity does not change, decides nothing.
    """
    ours = ConstantSparsity | PolynomialSparsity | None
    return not isinstance(schedule, ours)


def exactly(value):
    """A schedule's value as a 64-bit tensor; TensorFlow rounds to 32 bits."""
    return tf.cast(
        value if tf.is_tensor(value) else np.float64(value), "float64"
    )


def fraction(value):
    """A schedule's value as a 64-bit tensor in [0, 1]; NaN counts as 0."""
    value = exactly(value)
    return tf.where(value > 0, tf.minimum(value, 1), 0)


def final_sparsity(schedule):
    """The sparsity that a pruning schedule ends with, a float."""
    if isinstance(schedule, PolynomialSparsity):
        return float(schedule.final)
    with tf.init_scope():  # a number even where a graph is being built
        wanted = schedule(np.int32(2**30))
    if not decides_when(schedule):
        return float(wanted)
    if not isinstance(wanted, tuple | list) or len(wanted) != 2:
        raise TypeError(
            "A callable for `sparsity` must return a pair, (whether to prune "
            f"at this step, sparsity). Received: {wanted!r}."
        )
    return float(wanted[1])


def _progress(step, begin_step, end_step):
    """How much of [begin_step, end_step] has passed, from 0 to 1."""
    if end_step is None:
        raise ValueError(
            "The schedule has no `end_step` yet. Give it a number of steps: "
            "`None` is only filled in by `fit`."
        )
    library = _library(step)
    begin_step = begin_step or 0
    if library is tf:
        step = tf.cast(step, tf.float64)
    # An empty range is over as soon as it begins: one shot, and never 0 / 0.
    length = max(end_step - begin_step, 1e-9)
    done = (step - begin_step + (end_step == begin_step) * 1e-9) / length
    return library.minimum(library.maximum(done, 0.0), 1.0)


def _library(step):
    return tf if tf.is_tensor(step) else np


def _check_step(step, name, least=0):
    if isinstance(step, bool) or not isinstance(step, int | np.integer):
        raise ValueError(
            f"`{name}` counts steps and must be an integer. "
            f"Received: {name}={step!r}."
        )
    if step < least:
        raise ValueError(
            f"`{name}` must be at least {least}. Received: {name}={step}."
        )


def _check_range(begin_step, end_step):
    if begin_step is not None:
        _check_step(begin_step, "begin_step")
    if end_step is not None:
        _check_step(end_step, "end_step")
        if (begin_step or 0) > end_step:
            raise ValueError(
                "`begin_step` must not come after `end_step`. Received: "
                f"begin_step={begin_step}, end_step={end_step}."
            )
