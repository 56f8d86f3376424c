"""Schedules of the drop fraction: the part that an update replaces."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any
from typing import Self

import numpy as np
import tensorflow as tf

from rigl_tf.sparsity.schedules.layer_schedules import PerLayer
from rigl_tf.sparsity.schedules.steps import check_range
from rigl_tf.sparsity.schedules.steps import checked_pieces
from rigl_tf.sparsity.schedules.steps import library_of
from rigl_tf.sparsity.schedules.steps import piece_at
from rigl_tf.sparsity.schedules.steps import progress
from rigl_tf.typing import Integer
from rigl_tf.typing import Number
from rigl_tf.typing import Schedule
from rigl_tf.utils.serialization import Config
from rigl_tf.utils.validation import check_number


@dataclasses.dataclass(frozen=True)
class Constant(Config):
    """A constant drop fraction.

    Args:
        initial: Float in [0, 1], fraction of a layer's active connections.

    Example:

    >>> float(Constant(0.3)(1000))
    0.3
    """

    initial: float = 0.3

    def __post_init__(self) -> None:
        check_number("initial", self.initial, "[0, 1]")

    def __call__(self, step: Integer) -> Number:
        del step
        # A Python float would become a 32-bit tensor.
        return np.float64(self.initial)


@dataclasses.dataclass(frozen=True)
class Cosine(Config):
    """A drop fraction that decreases along half a cosine.

    Args:
        initial: Float in [0, 1], fraction of a layer's active connections at
            `begin_step`, alpha in the papers.
        begin_step: Integer, or `None` for the same as the update schedule.
        end_step: Integer, or `None` for the same as the update schedule.
        final: Float in [0, 1], fraction from `end_step` on.

    Example:

    >>> schedule = Cosine(0.3, begin_step=0, end_step=100, final=0.1)
    >>> [round(float(schedule(step)), 3) for step in (0, 50, 100)]
    [0.3, 0.2, 0.1]

    Reference:
        [Evci et al., 2020](https://arxiv.org/abs/1911.11134), section 3 (2).
    """

    initial: float = 0.3
    begin_step: int | None = None
    end_step: int | None = None
    final: float = 0.0

    def __post_init__(self) -> None:
        check_number("initial", self.initial, "[0, 1]")
        check_number("final", self.final, "[0, 1]")
        check_range(self.begin_step, self.end_step)

    def __call__(self, step: Integer) -> Number:
        done = progress(step, self.begin_step, self.end_step)
        fall = (self.initial - self.final) / 2
        return self.final + fall * (1 + library_of(step).cos(math.pi * done))


@dataclasses.dataclass(frozen=True)
class InversePower(Config):
    """A drop fraction that decreases as (1 - progress) ** power.

    Args:
        initial: Float in [0, 1], fraction of a layer's active connections at
            `begin_step`.
        power: Float > 0; 1 is linear.
        begin_step: Integer, or `None` for the same as the update schedule.
        end_step: Integer, or `None` for the same as the update schedule.
        final: Float in [0, 1], fraction from `end_step` on.

    Reference:
        [Evci et al., 2020](https://arxiv.org/abs/1911.11134), appendix G.
    """

    initial: float = 0.3
    power: float = 1.0
    begin_step: int | None = None
    end_step: int | None = None
    final: float = 0.0

    def __post_init__(self) -> None:
        check_number("initial", self.initial, "[0, 1]")
        check_number("final", self.final, "[0, 1]")
        check_number("power", self.power, "(0, inf)")
        check_range(self.begin_step, self.end_step)

    def __call__(self, step: Integer) -> Number:
        done = progress(step, self.begin_step, self.end_step)
        return (
            self.final + (self.initial - self.final) * (1 - done) ** self.power
        )


@dataclasses.dataclass(frozen=True)
class PiecewiseConstant(Config):
    """A drop fraction that changes only at given steps.

    Args:
        fractions: Dictionary from an integer, the step at which a fraction
            starts, to a float in [0, 1], the fraction of a layer's active
            connections. One fraction must start at step 0.

    Raises:
        ValueError: If a step or a fraction is out of range, or if no fraction
            starts at step 0.

    Example:

    >>> schedule = PiecewiseConstant({0: 0.3, 1000: 0.1})
    >>> [float(schedule(step)) for step in (0, 999, 1000)]
    [0.3, 0.3, 0.1]
    """

    fractions: dict

    def __post_init__(self) -> None:
        pieces = checked_pieces(
            self.fractions,
            "fractions",
            lambda value, name: check_number(name, value, "[0, 1]"),
        )
        # A tuple keeps the dataclass hashable.
        object.__setattr__(self, "fractions", pieces)

    def __call__(self, step: Integer) -> Number:
        return piece_at(self.fractions, step)  # pyright: ignore[reportArgumentType]

    def get_config(self) -> dict[str, Any]:
        return {"fractions": [list(pair) for pair in self.fractions]}

    def scaled(self, factor: float) -> Self:
        """Returns the schedule with all steps multiplied by `factor`."""
        return type(self)({round(s * factor): f for s, f in self.fractions})


def fractions(
    schedule: Schedule, step: Integer, names: Sequence[str]
) -> list[tf.Tensor]:
    """Returns the drop fraction of each kernel.

    Args:
        schedule: `PerLayer`, or any other callable from step to fraction.
        step: Integer or integer scalar tensor.
        names: List of strings, the names of kernels.

    Returns:
        List of float64 scalars in [0, 1].

    Raises:
        ValueError: If a `PerLayer` has no schedule for a kernel.
    """
    if isinstance(schedule, PerLayer):
        return [fraction(each(step)) for each in schedule.schedules_of(names)]
    return [fraction(schedule(step))] * len(names)


def fraction(value: Number) -> tf.Tensor:
    """Returns a value as a float64 tensor in [0, 1]; NaN becomes 0."""
    value = as_float64(value)
    return tf.where(value > 0, tf.minimum(value, 1), 0)


def as_float64(value: Number) -> tf.Tensor:
    """Returns a schedule's value as a float64 tensor, without rounding."""
    return tf.cast(
        value if tf.is_tensor(value) else np.float64(value), "float64"
    )
