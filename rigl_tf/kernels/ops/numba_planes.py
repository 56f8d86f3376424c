"""Copies pictures into planes of examples side by side, and back.

A group of examples is copied at a time, in the order (channels, phases,
positions, examples). Examples that are missing are zero. A group may be one
example: then the columns of a picture are side by side.
"""

from typing import NamedTuple

import numba
import numpy as np

from rigl_tf.kernels.ops import simd_planes
from rigl_tf.kernels.ops.conv_planes import Planes

_LANES = simd_planes.LANES


class Packing(NamedTuple):
    """`Planes` of three axes, for compiled code.

    Attributes:
        bases: int64 array of shape (phases, 3).
        strides: int64 array of shape (3,).
        sizes: int64 array of shape (3,).
        lanes: Integer, examples side by side: 1, or a multiple of `LANES`.
        plane: Integer, floats from one plane to the next.
    """

    bases: np.ndarray
    strides: np.ndarray
    sizes: np.ndarray
    lanes: int
    plane: int


def packing(planes: Planes, lanes: int, room: int = 0) -> Packing:
    """Returns the `Packing` of planes with room for more floats after each."""
    floats = int(planes.sizes.prod()) * lanes + room
    # An odd number of cache lines: planes do not compete for the same places.
    plane = (-(-floats // _LANES) | 1) * _LANES
    return Packing(planes.bases, planes.strides, planes.sizes, lanes, plane)


@numba.njit
def pack(x, shape, group, top, where, planes):
    """Copies one group of pictures into planes.

    Args:
        x: Flat float32 array, pictures.
        shape: int64 array: examples, depth, height, width, channels.
        group: Integer, which `lanes` examples.
        top: Integer, how many rows lower than `where` says.
        where: `Packing`.
        planes: Flat float32 array to write to.
    """
    for phase in range(len(where.bases)):
        _clear_margins(shape, where, top, phase, planes)
        _copy(False, x, shape, group, top, where, phase, planes)


@numba.njit
def unpack(planes, where, top, group, shape, x):
    """Copies one group of pictures back from planes."""
    for phase in range(len(where.bases)):
        _copy(True, x, shape, group, top, where, phase, planes)


@numba.njit
def _copy(back, x, shape, group, top, where, phase, planes):
    """Copies one phase of a group into planes or back."""
    num, _, height, width, channels = shape
    size = shape[1] * height * width * channels
    step = len(where.bases) * where.plane
    start = phase * where.plane
    depth_0, depths = _inside(shape, where, 0, phase, 0)
    row_0, rows = _inside(shape, where, top, phase, 1)
    column_0, columns = _inside(shape, where, 0, phase, 2)
    stride = where.strides
    base = where.bases[phase]
    is_single = where.lanes == 1
    across = _LANES if is_single else 1
    apart = stride[2] * channels if is_single else size
    for depth in range(depth_0, depths):
        for row in range(row_0, rows):
            line = (depth * stride[0] + base[0]) * height
            line += (row + top) * stride[1] + base[1]
            to_line = depth * where.sizes[1] + row
            for column in range(column_0, columns, across):
                pixel = line * width + column * stride[2] + base[2]
                place = to_line * where.sizes[2] + column
                for lane in range(0, where.lanes, _LANES):
                    example = group * where.lanes + lane
                    here = example * size + pixel * channels
                    there = start + place * where.lanes + lane
                    count = columns - column if is_single else num - example
                    count = min(max(count, 0), _LANES)
                    for channel in range(0, channels, _LANES):
                        if channel + _LANES <= channels and count == _LANES:
                            if back:
                                simd_planes.transpose(
                                    planes,
                                    there,
                                    step,
                                    x,
                                    here + channel,
                                    apart,
                                )
                            else:
                                simd_planes.transpose(
                                    x,
                                    here + channel,
                                    apart,
                                    planes,
                                    there,
                                    step,
                                )
                        else:
                            _copy_some(
                                back,
                                x[here + channel :],
                                apart,
                                count,
                                planes[there:],
                                step,
                                min(channels - channel, _LANES),
                                count if is_single else _LANES,
                            )
                        there += step * _LANES


@numba.njit
def _copy_some(back, x, apart, num, planes, step, channels, lanes):
    """Copies some examples, or columns, and channels; zeros up to `lanes`."""
    for channel in range(channels):
        for lane in range(num):
            here, there = lane * apart + channel, channel * step + lane
            if back:
                x[here] = planes[there]
            else:
                planes[there] = x[here]
        if not back:
            planes[channel * step + num : channel * step + lanes] = 0


@numba.njit
def _clear_margins(shape, where, top, phase, planes):
    """Writes zeros where planes reach beyond the picture."""
    depth_0, depths = _inside(shape, where, 0, phase, 0)
    row_0, rows = _inside(shape, where, top, phase, 1)
    column_0, columns = _inside(shape, where, 0, phase, 2)
    length = where.sizes[2] * where.lanes
    for channel in range(shape[4]):
        start = (channel * len(where.bases) + phase) * where.plane
        for depth in range(where.sizes[0]):
            for row in range(where.sizes[1]):
                if depth_0 <= depth < depths and row_0 <= row < rows:
                    planes[start : start + column_0 * where.lanes] = 0
                    planes[start + columns * where.lanes : start + length] = 0
                else:
                    planes[start : start + length] = 0
                start += length


@numba.njit
def _inside(shape, where, top, phase, axis):
    """The positions of a plane that are in the picture: first, and end."""
    stride, size = where.strides[axis], where.sizes[axis]
    base = where.bases[phase, axis] + top * stride
    first = min(max(-(base // stride), 0), size)
    end = min(-((base - shape[1 + axis]) // stride), size)
    return first, max(first, end)
