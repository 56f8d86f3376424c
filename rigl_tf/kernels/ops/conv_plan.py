"""How the work of a convolution is cut into pieces.

A tile is what registers hold: rows and columns of one channel, of some
examples. A band is rows of tiles of all channels, as many as a core's cache
holds.
"""

import dataclasses
import math
from collections.abc import Callable
from collections.abc import Sequence
from typing import NamedTuple

import numba
import numpy as np

from rigl_tf.kernels.ops import conv_planes
from rigl_tf.kernels.ops import numba_planes
from rigl_tf.kernels.ops import simd_planes
from rigl_tf.kernels.ops.convolution import Axis
from rigl_tf.kernels.ops.convolution import Convolution

_OUTPUT_TILE = 256  # floats
_INPUT_TILE = 128  # floats, because there are two tiles at a time
_FLAT_TILE = 128  # floats: pictures are small
_FEW = 8  # examples from which on they are side by side
_CACHE = 7 << 16  # floats of a band, 1.75 MiB


class Grid(NamedTuple):
    """The tiles of a batch, for compiled code.

    Attributes:
        groups: Integer, of examples.
        bands: Integer.
        depths: Integer, positions of the first axis.
        tall: Integer, rows of tiles in all bands.
        high: Integer, rows of tiles in a band; the last may have fewer.
        wide: Integer, tiles in a row.
        columns: Integer, positions in a row of a tile.
        is_flat: Boolean, whether rows of tiles are rows of planes, one after
            the other, so that a tile reaches from one to the next.
    """

    groups: int
    bands: int
    depths: int
    tall: int
    high: int
    wide: int
    columns: int
    is_flat: bool = False


@dataclasses.dataclass(frozen=True)
class Plan:
    """How to compute one band after the other.

    Attributes:
        rows: Integer, rows of a tile.
        floats: Integer, floats of a tile.
        grid: `Grid`.
        inputs: `Packing` of a band of the inputs.
        outputs: `Packing` of a band of the outputs.
        taps: `Taps`.
        reads: int64 array, the floats from the start of a plane to what each
            tap reads for the first tile.
        seen: Integer, floats of a plane that the taps of a tile read.
    """

    rows: int
    floats: int
    grid: Grid
    inputs: numba_planes.Packing
    outputs: numba_planes.Packing
    taps: conv_planes.Taps
    reads: np.ndarray
    seen: int


def for_outputs(
    convolution: Convolution, axes: Sequence[Axis], shape: Sequence[int]
) -> Plan:
    """Plans how to compute the outputs.

    Args:
        convolution: `Convolution`.
        axes: Its axes, filled up to three.
        shape: Five integers, the shape of the inputs.
    """
    sizes = shape[1:-1]

    def planes(positions):
        inputs, reads = conv_planes.for_outputs(axes, sizes, positions)
        return inputs, conv_planes.plain(positions), inputs, reads

    positions = [
        axis.outputs(size) for axis, size in zip(axes, sizes, strict=True)
    ]
    is_flat = shape[0] < _FEW
    floats = _FLAT_TILE if is_flat else _OUTPUT_TILE
    return _plan(
        convolution, axes, shape[0], positions, floats, planes, is_flat
    )


def for_inputs(
    convolution: Convolution, axes: Sequence[Axis], shape: Sequence[int]
) -> Plan:
    """Plans how to compute gradients; arguments as of `for_outputs`."""
    sizes = shape[1:-1]

    def planes(positions):
        inputs, outputs, reads = conv_planes.for_inputs(axes, sizes, positions)
        return inputs, outputs, outputs, reads

    positions = conv_planes.phase_sizes(axes, sizes)
    return _plan(convolution, axes, shape[0], positions, _INPUT_TILE, planes)


def _plan(
    convolution: Convolution,
    axes: Sequence[Axis],
    num: int,
    positions: Sequence[int],
    floats: int,
    planes: Callable,
    is_flat: bool = False,
) -> Plan:
    rows, columns, lanes = 1, 1, 1
    if not is_flat:
        rows, columns, lanes = _tile(num, positions, floats)
    groups = -(-num // lanes)
    tall, wide = -(-positions[1] // rows), -(-positions[2] // columns)
    # At least so many that no thread waits long for another.
    bands = min(-(-2 * numba.get_num_threads() // max(groups, 1)), tall)
    while True:
        high = -(-tall // bands)
        band = positions[0], high * rows, wide * columns
        inputs, outputs, read, reads = planes(band)
        width = int(read.sizes[2])
        if is_flat:  # rows of outputs are as long as those of inputs
            outputs = conv_planes.plain((*band[:2], width))
        room = floats if is_flat else 0  # a tile may reach beyond a plane
        of_inputs = numba_planes.packing(inputs, lanes, room)
        of_outputs = numba_planes.packing(outputs, lanes, room)
        together = convolution.inputs * len(inputs.bases) * of_inputs.plane
        together += convolution.outputs * of_outputs.plane
        if together <= _CACHE or high == 1:
            break
        bands += 1
    taps = conv_planes.taps_of(axes)
    depth, row, column = reads[taps.order].T
    line = depth * read.sizes[1] + row
    grid = Grid(
        groups, -(-tall // high), positions[0], tall, high, wide, columns
    )
    seen = (np.ptp(row) + rows) * (np.ptp(column) + columns) * lanes
    if is_flat:
        grid = grid._replace(
            wide=-(-high * width // floats), columns=floats, is_flat=True
        )
        seen = np.ptp(row) * width + np.ptp(column) + floats
    return Plan(
        rows,
        floats,
        grid,
        of_inputs,
        of_outputs,
        taps,
        (line * width + column) * lanes,
        int(seen),
    )


def _tile(
    num: int, positions: Sequence[int], floats: int
) -> tuple[int, int, int]:
    """Returns the rows, columns and examples of the tile that wastes least."""

    def waste(tile: tuple[int, int, int]) -> int:
        needed = zip(tile, (*positions[1:], num), strict=True)
        return math.prod(-(-size // part) * part for part, size in needed)

    tiles = [
        (rows, columns, floats // rows // columns)
        for rows in (4, 2, 1)
        for columns in (4, 8, 16, 2, 1)
        if floats // rows // columns >= simd_planes.LANES
        and (rows < 4 or floats == _OUTPUT_TILE)
    ]
    return min(tiles, key=waste)
