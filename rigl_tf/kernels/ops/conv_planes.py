"""A convolution of any stride and dilation as one of stride 1.

Positions of a picture that are `stride` apart are put into planes of their own:
the phases of the stride. A tap then reads one phase, a fixed number of
positions away.
"""

import dataclasses
import itertools
from collections.abc import Iterable
from collections.abc import Sequence

import numpy as np

from rigl_tf.kernels.ops.convolution import Axis


@dataclasses.dataclass(frozen=True)
class Planes:
    """Where positions of a picture are in its planes.

    Position v of a plane is position `strides * v + bases[phase]` of the
    picture, or zero if that is outside of it.

    Attributes:
        bases: int64 array of shape (phases, axes).
        strides: int64 array of shape (axes,).
        sizes: int64 array of shape (axes,), positions of a plane.
    """

    bases: np.ndarray
    strides: np.ndarray
    sizes: np.ndarray


@dataclasses.dataclass(frozen=True)
class Taps:
    """The taps of a convolution, sorted by the phase that they read.

    Attributes:
        order: int64 array, the numbers of the sorted taps.
        phases: int64 array, the phase of each sorted tap.
    """

    order: np.ndarray
    phases: np.ndarray


def taps_of(axes: Sequence[Axis]) -> Taps:
    """Sorts the taps of a convolution."""
    of_axes = [
        [_phases(axis).index(phase) for phase in _phase_of_taps(axis)]
        for axis in axes
    ]
    numbers = [len(_phases(axis)) for axis in axes]
    phases = np.ravel_multi_index(_product(of_axes).T, numbers)
    order = np.argsort(phases, kind="stable")
    return Taps(order, phases[order])


def for_outputs(
    axes: Sequence[Axis], sizes: Sequence[int], positions: Sequence[int]
) -> tuple[Planes, np.ndarray]:
    """Plans how to compute outputs from inputs.

    Args:
        axes: List of `Axis`.
        sizes: Integers, the input positions of each axis.
        positions: Integers, the output positions of each axis.

    Returns:
        `Planes` of the inputs, and an int64 array of shape (taps, axes): the
        position of a plane that each tap, unsorted, reads for output 0.
    """
    bases, steps, lengths = [], [], []
    for axis, size, length in zip(axes, sizes, positions, strict=True):
        before, _ = axis.zeros(size)
        bases.append([phase - before for phase in _phases(axis)])
        steps.append(_steps(axis))
        lengths.append(length + max(steps[-1]))
    return Planes(_product(bases), _strides(axes), np.array(lengths)), (
        _product(steps)
    )


def for_inputs(
    axes: Sequence[Axis], sizes: Sequence[int], positions: Sequence[int]
) -> tuple[Planes, Planes, np.ndarray]:
    """Plans how to compute gradients of inputs from those of outputs.

    Args:
        axes: List of `Axis`.
        sizes: Integers, the input positions of each axis.
        positions: Integers, the positions of each axis in planes of inputs.

    Returns:
        `Planes` of the inputs without margins, `Planes` of the outputs, and an
        int64 array of shape (taps, axes): the position of the outputs' plane
        that each tap, unsorted, reads for position 0 of its phase.
    """
    bases, reads, starts, spans = [], [], [], []
    for axis, size, length in zip(axes, sizes, positions, strict=True):
        before, _ = axis.zeros(size)
        skipped = {
            phase: -((phase - before) // axis.stride) for phase in _phases(axis)
        }
        bases.append(_first_inputs(axis, size))
        read = [
            skipped[phase] - step
            for phase, step in zip(
                _phase_of_taps(axis), _steps(axis), strict=True
            )
        ]
        first = min(read)
        starts.append([first])
        reads.append([each - first for each in read])
        spans.append(length + max(reads[-1]))
    of_inputs = Planes(_product(bases), _strides(axes), np.array(positions))
    ones = np.ones(len(axes), np.int64)
    of_outputs = Planes(_product(starts), ones, np.array(spans))
    return of_inputs, of_outputs, _product(reads)


def plain(positions: Sequence[int]) -> Planes:
    """Returns the planes of pictures, without margins."""
    zeros = np.zeros(len(positions), np.int64)
    return Planes(zeros[None], zeros + 1, np.array(positions))


def phase_sizes(axes: Sequence[Axis], sizes: Sequence[int]) -> list[int]:
    """Returns the most positions that a phase has, for each axis."""
    return [
        max(
            -((first - size) // axis.stride)
            for first in _first_inputs(axis, size)
        )
        for axis, size in zip(axes, sizes, strict=True)
    ]


def _first_inputs(axis: Axis, size: int) -> list[int]:
    """The first input position of each phase that a tap reads."""
    before, _ = axis.zeros(size)
    return [(phase - before) % axis.stride for phase in _phases(axis)]


def _phase_of_taps(axis: Axis) -> list[int]:
    return [tap * axis.dilation % axis.stride for tap in range(axis.taps)]


def _phases(axis: Axis) -> list[int]:
    return sorted(set(_phase_of_taps(axis)))


def _steps(axis: Axis) -> list[int]:
    return [tap * axis.dilation // axis.stride for tap in range(axis.taps)]


def _strides(axes: Sequence[Axis]) -> np.ndarray:
    return np.array([axis.stride for axis in axes])


def _product(of_axes: Iterable[Sequence[int]]) -> np.ndarray:
    return np.array(list(itertools.product(*of_axes)), np.int64)
