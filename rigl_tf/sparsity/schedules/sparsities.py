"""Sparsity schedules for pruning."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from rigl_tf.sparsity.distributions import check_sparsity
from rigl_tf.sparsity.schedules.drop_fractions import as_float64
from rigl_tf.sparsity.schedules.layer_schedules import PerLayerSparsity
from rigl_tf.sparsity.schedules.layer_schedules import each_sparsity
from rigl_tf.sparsity.schedules.steps import check_range
from rigl_tf.sparsity.schedules.steps import check_step
from rigl_tf.sparsity.schedules.steps import checked_pieces
from rigl_tf.sparsity.schedules.steps import library_of
from rigl_tf.sparsity.schedules.steps import piece_at
from rigl_tf.sparsity.schedules.steps import progress
from rigl_tf.typing import Integer
from rigl_tf.typing import Number
from rigl_tf.typing import SparsitySchedule
from rigl_tf.utils.serialization import Config
from rigl_tf.utils.validation import check_number

_LAST_STEP = 2**30


@dataclasses.dataclass(frozen=True)
class ConstantSparsity(Config):
    """A constant sparsity.

    Args:
        sparsity: Float in [0, 1), fraction of zeros.

    Example:

    >>> float(ConstantSparsity(0.8)(1000))
    0.8
    """

    sparsity: float

    def __post_init__(self) -> None:
        check_sparsity(self.sparsity)

    def __call__(self, step: Integer) -> Number:
        del step
        # A Python float would become a 32-bit tensor.
        return np.float64(self.sparsity)


@dataclasses.dataclass(frozen=True)
class PolynomialSparsity(Config):
    """A sparsity that rises fast at first and slowly at the end.

    Args:
        final: Float in [0, 1), sparsity from `end_step` on.
        initial: Float in [0, 1), sparsity up to `begin_step`.
        begin_step: Integer, or `None` for the `begin_step` of the update
            schedule.
        end_step: Integer, or `None` for the last update. If equal to
            `begin_step`, pruning is done in one shot.
        power: Float > 0; 3 is the cubic schedule.
        allow_decrease: Whether `final` may be below `initial`.
        end_fraction: Float in (0, 1], used if `end_step` is `None`: the part
            of the steps from `begin_step` to the last update.

    Reference:
        [Zhu & Gupta, 2017](https://arxiv.org/abs/1710.01878), equation 1.

    Example:

    >>> pruning = rigl_tf.schedules.PolynomialSparsity(
    ...     0.8, begin_step=0, end_step=100)
    >>> [round(float(pruning(step)), 2) for step in (0, 50, 100)]
    [0.0, 0.7, 0.8]
    """

    final: float
    initial: float = 0.0
    begin_step: int | None = None
    end_step: int | None = None
    power: float = 3.0
    allow_decrease: bool = False
    end_fraction: float = 1.0

    def __post_init__(self) -> None:
        check_sparsity(self.final, "final")
        check_sparsity(self.initial, "initial")
        check_number("power", self.power, "(0, inf)")
        check_number("end_fraction", self.end_fraction, "(0, 1]")
        check_range(self.begin_step, self.end_step)
        if self.final < self.initial and not self.allow_decrease:
            raise ValueError(
                "`final` sparsity must not be below `initial`. Received: "
                f"initial={self.initial}, final={self.final}. Set "
                "`allow_decrease=True` to grow connections again."
            )

    def __call__(self, step: Integer) -> Number:
        left = 1 - progress(step, self.begin_step, self.end_step)
        return self.final + (self.initial - self.final) * left**self.power


@dataclasses.dataclass(frozen=True)
class PiecewiseSparsity(Config):
    """A sparsity that changes only at given steps.

    The first update at or after such a step reaches the new sparsity.

    Args:
        sparsities: Dictionary from an integer, the step at which a sparsity
            starts, to a float in [0, 1). One sparsity must start at step 0.

    Raises:
        ValueError: If a step or a sparsity is out of range, or if no sparsity
            starts at step 0.

    Example:

    >>> schedule = PiecewiseSparsity({0: 0.8, 1000: 0.9})
    >>> [float(schedule(step)) for step in (0, 999, 1000)]
    [0.8, 0.8, 0.9]
    """

    sparsities: dict

    def __post_init__(self) -> None:
        pieces = checked_pieces(self.sparsities, "sparsities", check_sparsity)
        object.__setattr__(self, "sparsities", pieces)

    def __call__(self, step: Integer) -> Number:
        return piece_at(self.sparsities, step)  # pyright: ignore[reportArgumentType]

    def get_config(self) -> dict[str, Any]:
        return {"sparsities": [list(pair) for pair in self.sparsities]}

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest sparsity."""
        values = [float(value) for _, value in self.sparsities]
        return min(values), max(values)


@dataclasses.dataclass(frozen=True)
class Alternating(Config):
    """A sparsity that alternates between a final sparsity and zero.

    Sparse and dense phases have `period` steps each. The last phase is sparse
    and starts at `end_step`. Training is dense before the first update.

    Args:
        final: Float in [0, 1), the sparsity of sparse phases.
        period: Integer, or `None` for the interval of the update schedule.
            Otherwise, a multiple of this interval.
        end_step: Integer, or `None` for the last update.

    Reference:
        [Peste et al., 2021](https://arxiv.org/abs/2106.12379), Algorithm 1.

    Example:

    >>> schedule = Alternating(0.9, period=20, end_step=60)
    >>> [float(schedule(step)) for step in (19, 20, 39, 40, 59, 60, 100)]
    [0.0, 0.9, 0.9, 0.0, 0.0, 0.9, 0.9]
    """

    final: float
    period: int | None = None
    end_step: int | None = None

    def __post_init__(self) -> None:
        check_sparsity(self.final, "final")
        if self.period is not None:
            check_step(self.period, "period", least=1)
        check_range(None, self.end_step)

    def __call__(self, step: Integer) -> Number:
        if self.period is None or self.end_step is None:
            raise ValueError(
                "The schedule must have a `period` and an `end_step` before it "
                f"is called. Received: {self}. Pass numbers of steps; only "
                "`fit` replaces `None`."
            )
        library = library_of(step)
        left = library.maximum(self.end_step - step, 0)
        num_changes: Any = -(-left // self.period)
        if library is tf:
            is_sparse = tf.cast(num_changes % 2 == 0, tf.float64)
        else:
            is_sparse = np.float64(num_changes % 2 == 0)
        return self.final * is_sparse


def decides_when(schedule: SparsitySchedule | None) -> bool:
    """Returns whether a pruning schedule returns a pair `(bool, sparsity)`.

    The dataclasses of this module return a sparsity. Any other callable, such
    as a schedule of the TensorFlow Model Optimization toolkit, must return a
    pair. `None` means that the sparsity does not change. Of several schedules
    in a `PerLayerSparsity`, all must do so.
    """
    if isinstance(schedule, PerLayerSparsity):
        return all(map(decides_when, each_sparsity(schedule)))
    ours = (
        Alternating | ConstantSparsity | PiecewiseSparsity | PolynomialSparsity
    )
    return schedule is not None and not isinstance(schedule, ours)


def final_sparsity(schedule: SparsitySchedule) -> float:
    """Returns the final sparsity of a pruning schedule, a float.

    Of several schedules in a `PerLayerSparsity`, the largest.
    """
    if isinstance(schedule, PerLayerSparsity):
        return max(map(final_sparsity, each_sparsity(schedule)))
    if isinstance(schedule, Alternating | PolynomialSparsity):
        return float(schedule.final)
    return _wanted(schedule, _LAST_STEP)


def initial_sparsity(schedule: SparsitySchedule) -> float:
    """Returns the sparsity of a schedule before the first update, a float."""
    if isinstance(schedule, Alternating):
        return 0.0
    if isinstance(schedule, PolynomialSparsity):
        return float(schedule.initial)
    return _wanted(schedule, 0)


def lowest_sparsity(schedule: SparsitySchedule) -> float:
    """Returns a sparsity that a schedule never goes below, a float.

    It is 0 for functions that are no dataclass of this module.
    """
    if decides_when(schedule):
        return 0.0
    if isinstance(schedule, PiecewiseSparsity):
        return schedule.range[0]
    return min(initial_sparsity(schedule), final_sparsity(schedule))


def budgets_at(
    sparsity: Number,
    final: float,
    sizes: Sequence[int],
    budgets: Sequence[int],
) -> list[tf.Tensor]:
    """Returns the active units of each kernel at a sparsity of a schedule.

    The sparsities of all kernels rise and fall in proportion.

    Args:
        sparsity: Float or float scalar tensor in [0, 1).
        final: Float in [0, 1), the sparsity of `budgets`.
        sizes: List of integers, all units of each kernel.
        budgets: List of integers, the active units at the sparsity `final`.

    Returns:
        List of int64 scalars.

    Example:

    >>> [int(n) for n in budgets_at(0.4, 0.8, [10, 10], [1, 3])]
    [6, 7]
    """
    done = as_float64(sparsity) / max(final, 1e-9)
    return [
        # 1e-6, because the quotient may be slightly below an integer.
        size - tf.cast(tf.floor(done * (size - budget) + 1e-6), tf.int64)
        for size, budget in zip(sizes, budgets, strict=True)
    ]


def falls(schedule: SparsitySchedule) -> bool:
    """Returns whether a pruning schedule ends below an earlier sparsity.

    Other functions are evaluated at steps 0, 1, 2, 4, 8 and so on.
    """
    if isinstance(schedule, PerLayerSparsity):
        return any(map(falls, each_sparsity(schedule)))
    if isinstance(schedule, Alternating):
        return schedule.final > 0
    if isinstance(schedule, PolynomialSparsity):
        return schedule.final < schedule.initial
    if isinstance(schedule, PiecewiseSparsity):
        return final_sparsity(schedule) < schedule.range[1]
    steps = [0]
    while steps[-1] < _LAST_STEP:
        steps.append(max(2 * steps[-1], 1))
    largest = max(_wanted(schedule, step) for step in steps)
    return largest > final_sparsity(schedule) + 1e-6


def _wanted(schedule: SparsitySchedule, step: int) -> float:
    with tf.init_scope():  # a number even where a graph is being built
        wanted: Any = schedule(np.int32(step))
    if not decides_when(schedule):
        return float(wanted)
    if not isinstance(wanted, tuple | list) or len(wanted) != 2:
        raise TypeError(
            "A callable for `sparsity` must return a pair, (whether to prune "
            f"at this step, sparsity). Received: {wanted!r}."
        )
    return float(wanted[1])
