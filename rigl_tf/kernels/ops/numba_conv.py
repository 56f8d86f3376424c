"""Convolutions with a sparse kernel, compiled by numba, on all cores.

Examples lie side by side. A tile of positions and examples stays in registers
while all connections of its channel are gone through: each is one
multiplication of a tile of another channel by its weight.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numba
import numpy as np
import tensorflow as tf

from rigl_tf.kernels.ops import conv_plan
from rigl_tf.kernels.ops import numba_cache
from rigl_tf.kernels.ops import numba_planes
from rigl_tf.kernels.ops import numba_runtime
from rigl_tf.kernels.ops import numba_threads
from rigl_tf.kernels.ops import row_column_index
from rigl_tf.kernels.ops import simd_planes
from rigl_tf.kernels.ops import simd_rows
from rigl_tf.kernels.ops.convolution import Axis
from rigl_tf.kernels.ops.convolution import Convolution

_CACHE = 1 << 13  # floats of a block of planes, 32 KiB
_LEAST = 8  # connections of a plane in a block, or it is not worth a block
_PARTS = 8  # sums of the weights' gradients, at least


class _Reads(NamedTuple):
    """What connections read, sorted by what stays in the first-level cache.

    Attributes:
        origins: Integer array, the place of each connection's weight.
        offsets: Integer array, the floats from the first tile of all planes.
        starts: Integer array, the first connection of each plane that is added
            to, and the end; once for each block of planes that are read.
    """

    origins: np.ndarray
    offsets: np.ndarray
    starts: np.ndarray


def _reads(sources, offsets, targets, num_sources, num_targets, seen):
    """Sorts connections into `_Reads`.

    Args:
        sources: Integer array, the plane that it reads.
        offsets: int64 array, what it reads.
        targets: Integer array, the plane that it adds to.
        num_sources: Integer, planes.
        num_targets: Integer, planes.
        seen: Integer, floats of a plane that a tile's connections read.
    """
    blocks = min(
        -(-num_sources * seen // _CACHE),
        len(sources) // (_LEAST * num_targets),
    )
    planes = -(-num_sources // max(blocks, 1))
    key = sources // planes * num_targets + targets
    order = np.lexsort((offsets, key))
    starts = np.arange(-(-num_sources // planes) * num_targets + 1)
    starts = np.searchsorted(key[order], starts)
    return _Reads(*map(_compact, (order, offsets[order], starts)))


def _compact(numbers):
    """Returns integers in four bytes each if they fit."""
    fits = np.max(numbers, initial=0) <= np.iinfo(np.int32).max
    return numbers.astype(np.int32) if fits else numbers


class Product:
    """Convolves with one kernel and remembers where its connections are.

    Args:
        convolution: `Convolution` of one to three axes.
        unit: `()` for connections, or `(taps,)` for whole kernels.
    """

    def __init__(self, convolution: Convolution, unit: Sequence[int] = ()):
        self._convolution = convolution
        # For the last few sizes of pictures.
        self._to_outputs = functools.lru_cache(4)(
            functools.partial(_ToOutputs, convolution, unit)
        )
        self._to_inputs = functools.lru_cache(4)(
            functools.partial(_ToInputs, convolution, unit)
        )

    def forward(self, x, values, active):
        """The convolution.

        Args:
            x: float32 tensor of shape (examples, ..., input channels).
            values: float32 tensor, the weights of each unit.
            active: int32 tensor, sorted numbers of units, padding at the end.

        Returns:
            float32 tensor of shape (examples, ..., output channels).
        """
        y = tf.numpy_function(
            self._forward, [x, values, active], tf.float32, stateful=False
        )
        return tf.ensure_shape(y, self._convolution.output_shape(x.shape))

    def backward(self, x, values, active, dy):
        """The gradients with respect to `x` and `values`."""
        dx, dvalues = tf.numpy_function(
            self._backward,
            [x, values, active, dy],
            [tf.float32, tf.float32],
            stateful=False,
        )
        dx = tf.ensure_shape(dx, x.shape)
        return dx, tf.ensure_shape(dvalues, values.shape)

    def _forward(self, x, values, active):
        numba_threads.use()
        shape = self._convolution.output_shape(x.shape)
        y = numba_runtime.empty(shape)
        self._to_outputs(x.shape)(x, values, active, y)
        return y

    def _backward(self, x, values, active, dy):
        numba_threads.use()
        dx = numba_runtime.empty(x.shape)
        dvalues = np.zeros_like(values)
        self._to_inputs(x.shape)(x, values, active, dy, dx, dvalues)
        return dx, dvalues


class _Pass:
    """One direction of a convolution, for pictures of one shape.

    Args:
        convolution: `Convolution`.
        unit: As for `Product`.
        shape: Tuple of integers, the shape of the inputs.
    """

    def __init__(self, convolution, unit, shape):
        self._convolution = convolution
        self._unit = unit
        axes = (3 - len(convolution.axes)) * (Axis(),) + convolution.axes
        self._x_shape = _in_space(shape)
        self._y_shape = _in_space(convolution.output_shape(shape))
        self._plan = self.plan(convolution, axes, self._x_shape)
        self._remembered = row_column_index.Remembered(self._reads)

    def _places(self, active):
        """Returns the tap, the input and output channel of connections.

        The tap is its rank among those sorted by phase.
        """
        convolution = self._convolution
        active = active.astype(np.int64)
        if self._unit:  # the connections of each kernel are one after another
            size = convolution.rows * convolution.outputs
            active = np.add.outer(active, size * np.arange(*self._unit)).ravel()
        row, output = np.divmod(active, convolution.outputs)
        tap, channel = np.divmod(row, convolution.rows)
        group = output // (convolution.outputs // convolution.groups)
        rank = np.argsort(self._plan.taps.order)
        return rank[tap], group * convolution.rows + channel, output

    def _memory(self, packing, channels):
        """Room for planes, for each thread."""
        floats = channels * len(packing.bases) * packing.plane
        return numba_runtime.empty((numba.get_num_threads(), floats))


class _ToOutputs(_Pass):
    plan = staticmethod(conv_plan.for_outputs)

    def __call__(self, x, values, active, y):
        plan, reads = self._plan, self._remembered.of(active)
        _compiled_forward(plan.rows, plan.floats)(
            plan.grid,
            x.reshape(-1),
            np.array(self._x_shape),
            plan.inputs,
            self._memory(plan.inputs, self._convolution.inputs),
            values.reshape(-1)[reads.origins],
            reads.offsets,
            reads.starts,
            y.reshape(-1),
            np.array(self._y_shape),
            plan.outputs,
            self._memory(plan.outputs, self._convolution.outputs),
        )

    def _reads(self, active):
        plan = self._plan
        tap, channel, output = self._places(active)
        phases = len(plan.inputs.bases)
        plane = channel * phases + plan.taps.phases[tap]
        return _reads(
            plane,
            plane * plan.inputs.plane + plan.reads[tap],
            output,
            self._convolution.inputs * phases,
            self._convolution.outputs,
            plan.seen,
        )


class _ToInputs(_Pass):
    plan = staticmethod(conv_plan.for_inputs)

    def __call__(self, x, values, active, dy, dx, dvalues):
        plan, reads = self._plan, self._remembered.of(active)
        parts = max(_PARTS, numba.get_num_threads())
        sums = np.zeros((parts, len(reads.origins)), np.float32)
        if np.prod(plan.inputs.strides) != len(plan.inputs.bases):
            dx[...] = 0  # phases that no tap reads
        _compiled_backward(plan.rows, plan.floats)(
            plan.grid,
            x.reshape(-1),
            dx.reshape(-1),
            np.array(self._x_shape),
            plan.inputs,
            self._memory(plan.inputs, self._convolution.inputs),
            self._memory(plan.inputs, self._convolution.inputs),
            values.reshape(-1)[reads.origins],
            reads.offsets,
            reads.starts,
            sums,
            dy.reshape(-1),
            np.array(self._y_shape),
            plan.outputs,
            self._memory(plan.outputs, self._convolution.outputs),
        )
        dvalues.reshape(-1)[reads.origins] = sums.sum(axis=0)

    def _reads(self, active):
        plan = self._plan
        tap, channel, output = self._places(active)
        phases = len(plan.inputs.bases)
        return _reads(
            output,
            output * plan.outputs.plane + plan.reads[tap],
            channel * phases + plan.taps.phases[tap],
            self._convolution.outputs,
            self._convolution.inputs * phases,
            plan.seen,
        )


def _in_space(shape):
    """Fills up a shape of pictures to three axes."""
    return (shape[0], *(5 - len(shape)) * (1,), *shape[1:])


@numba.njit
def _place(where, depth, row, column):
    """Floats from the start of a plane to a position."""
    line = depth * where.sizes[1] + row
    return (line * where.sizes[2] + column) * where.lanes


@functools.cache
def _compiled_forward(rows, floats):
    width = floats // rows

    def forward(
        grid,
        x,
        x_shape,
        of_x,
        x_memory,
        values,
        offsets,
        starts,
        y,
        y_shape,
        of_y,
        y_memory,
    ):
        stride = of_x.sizes[2] * of_x.lanes
        y_stride = of_y.sizes[2] * of_y.lanes
        for item in numba.prange(grid.groups * grid.bands):
            group, band = item // grid.bands, item % grid.bands
            thread = numba.get_thread_id()
            inputs, outputs = x_memory[thread], y_memory[thread]
            first = band * grid.high
            top = first * rows
            high = min(grid.high, grid.tall - first)
            numba_planes.pack(x, x_shape, group, top, of_x, inputs)
            lines = 1 if grid.is_flat else high
            for tile in range(grid.depths * lines * grid.wide):
                line, column = tile // grid.wide, tile % grid.wide
                depth, row = line // lines, line % lines * rows
                column *= grid.columns
                read = _place(of_x, depth, row, column)
                write = _place(of_y, depth, row, column)
                for step in range(len(starts) - 1):
                    to = write + step % y_shape[4] * of_y.plane
                    total = simd_rows.zeros(floats)
                    if step >= y_shape[4]:
                        total = simd_planes.load(
                            outputs, to, y_stride, rows, width
                        )
                    for k in range(starts[step], starts[step + 1]):
                        seen = simd_planes.load(
                            inputs, read + offsets[k], stride, rows, width
                        )
                        total = simd_rows.added(total, values[k], seen)
                    simd_planes.store(outputs, to, y_stride, rows, width, total)
            numba_planes.unpack(outputs, of_y, top, group, y_shape, y)

    return numba_cache.njit(forward, parallel=True)


@functools.cache
def _compiled_backward(rows, floats):
    width = floats // rows

    def backward(
        grid,
        x,
        dx,
        x_shape,
        of_x,
        x_memory,
        dx_memory,
        values,
        offsets,
        starts,
        sums,
        dy,
        dy_shape,
        of_dy,
        dy_memory,
    ):
        stride = of_x.sizes[2] * of_x.lanes
        dy_stride = of_dy.sizes[2] * of_dy.lanes
        planes = x_shape[4] * len(of_x.bases)
        for part in numba.prange(len(sums)):
            thread = numba.get_thread_id()
            inputs, above = x_memory[thread], dy_memory[thread]
            gradients, of_part = dx_memory[thread], sums[part]
            for item in range(part, grid.groups * grid.bands, len(sums)):
                group, band = item // grid.bands, item % grid.bands
                first = band * grid.high
                top = first * rows
                high = min(grid.high, grid.tall - first)
                numba_planes.pack(x, x_shape, group, top, of_x, inputs)
                numba_planes.pack(dy, dy_shape, group, top, of_dy, above)
                for tile in range(grid.depths * high * grid.wide):
                    line, column = tile // grid.wide, tile % grid.wide
                    depth, row = line // high, line % high * rows
                    column *= grid.columns
                    place = _place(of_x, depth, row, column)
                    read = _place(of_dy, depth, row, column)
                    for step in range(len(starts) - 1):
                        to = place + step % planes * of_x.plane
                        here = simd_planes.load(inputs, to, stride, rows, width)
                        total = simd_rows.zeros(floats)
                        if step >= planes:
                            total = simd_planes.load(
                                gradients, to, stride, rows, width
                            )
                        for k in range(starts[step], starts[step + 1]):
                            seen = simd_planes.load(
                                above,
                                read + offsets[k],
                                dy_stride,
                                rows,
                                width,
                            )
                            total = simd_rows.added(total, values[k], seen)
                            of_part[k] += simd_planes.dot(here, seen)
                        simd_planes.store(
                            gradients, to, stride, rows, width, total
                        )
                numba_planes.unpack(gradients, of_x, top, group, x_shape, dx)

    return numba_cache.njit(backward, parallel=True)
