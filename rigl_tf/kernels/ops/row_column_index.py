"""An index of the units of a kernel, by input and by output."""

from typing import NamedTuple

import numba
import numpy as np

from rigl_tf.kernels import index_sets
from rigl_tf.kernels.ops import numba_cache

_PARTS = 8  # per thread, so that no thread waits long for another


class Index(NamedTuple):
    """The units of each input and of each output.

    Attributes:
        input_starts: int32 array, for each input the first of its positions,
            and the end of the last.
        input_parts: int32 array, first inputs of parts of equal work.
        output_starts: Like `input_starts`, for positions sorted by `order`.
        output_parts: Like `input_parts`, for outputs.
        order: int32 array, indices that sort the positions by output.
        inputs: int32 array, the inputs of the sorted positions.
    """

    input_starts: np.ndarray
    input_parts: np.ndarray
    output_starts: np.ndarray
    output_parts: np.ndarray
    order: np.ndarray
    inputs: np.ndarray


class Remembered:
    """Remembers what was computed of a kernel's units until they move.

    Args:
        compute: Function of the sorted numbers of the active units, without
            padding.
    """

    def __init__(self, compute):
        self._compute = compute
        self._computed = None
        self._computed_of = None

    def of(self, active):
        """Returns what `compute` returns for `active`, which is padded."""
        seen = (len(active), _hash(active))
        if seen != self._computed_of:
            count = int(np.searchsorted(active, index_sets.NONE))
            self._computed = self._compute(active[:count])
            self._computed_of = seen
        return self._computed


@numba_cache.njit
def _hash(active):
    """Returns a hash of sorted positions, a sum of scrambled numbers."""
    total = np.uint64(0)
    for position in active:
        mixed = np.uint64(position + 1) * np.uint64(0x9E3779B97F4A7C15)
        total += mixed ^ (mixed >> np.uint64(29))
    return total


def index_of(active, inputs, outputs):
    """Returns the `Index` of units.

    Args:
        active: Sorted integer array, the numbers of the active units.
        inputs: Integer, rows of the kernel as a matrix of units.
        outputs: Integer, its columns.
    """
    input_starts, output_starts, order, owners = _sorted(
        active, inputs, outputs
    )
    num_parts = _PARTS * numba.config.NUMBA_NUM_THREADS
    shares = np.linspace(0, len(active), num_parts + 1)
    return Index(
        input_starts,
        _parts(input_starts, shares),
        output_starts,
        _parts(output_starts, shares),
        order,
        owners,
    )


def _parts(starts, shares):
    parts = np.searchsorted(starts, shares).astype(np.int32)
    parts[0], parts[-1] = 0, len(starts) - 1  # empty ones belong somewhere
    return parts


@numba_cache.njit
def _sorted(active, inputs, outputs):
    """A counting sort of positions by output."""
    input_starts = np.zeros(inputs + 1, np.int32)
    output_starts = np.zeros(outputs + 1, np.int32)
    for position in active:
        input_starts[position // outputs + 1] += 1
        output_starts[position % outputs + 1] += 1
    for i in range(inputs):
        input_starts[i + 1] += input_starts[i]
    for o in range(outputs):
        output_starts[o + 1] += output_starts[o]
    order = np.empty(len(active), np.int32)
    owners = np.empty(len(active), np.int32)
    place = output_starts.copy()
    for k, position in enumerate(active):
        o = position % outputs
        order[place[o]] = k
        owners[place[o]] = position // outputs
        place[o] += 1
    return input_starts, output_starts, order, owners
