"""Convolutions with a sparse kernel, compiled by numba, on all cores.

Examples lie side by side. A tile of positions and examples stays in registers
while all connections of its channel are gone through: each is one
multiplication of a tile of another channel by its weight.
"""

import functools
from typing import NamedTuple

import numba
import numpy as np
import tensorflow as tf

from rigl_tf.kernels.ops import conv_plan
from rigl_tf.kernels.ops import numba_planes
from rigl_tf.kernels.ops import numba_runtime
from rigl_tf.kernels.ops import numba_threads
from rigl_tf.kernels.ops import row_column_index
from rigl_tf.kernels.ops import simd_planes
from rigl_tf.kernels.ops import simd_rows
from rigl_tf.kernels.ops.convolution import Axis
from rigl_tf.kernels.ops.convolution import Convolution

_OUTPUT_TILE, _INPUT_TILE = conv_plan.OUTPUT_TILE, conv_plan.INPUT_TILE
_PARTS = 8  # sums of the weights' gradients, at least


class _Reads(NamedTuple):
    """What connections read, sorted by the plane that they add to.

    Attributes:
        origins: Integer array, the place of each connection's weight.
        offsets: int64 array, the floats from the first tile of all planes.
        starts: Integer array, the first connection of each plane, and the end.
    """

    origins: np.ndarray
    offsets: np.ndarray
    starts: np.ndarray


class Product:
    """Convolves with one kernel and remembers where its connections are.

    Args:
        convolution: `Convolution` of one to three axes.
    """

    def __init__(self, convolution: Convolution):
        self._convolution = convolution
        # For the last few sizes of pictures.
        self._to_outputs = functools.lru_cache(8)(
            functools.partial(_ToOutputs, convolution)
        )
        self._to_inputs = functools.lru_cache(8)(
            functools.partial(_ToInputs, convolution)
        )

    def forward(self, x, values, active):
        """The convolution.

        Args:
            x: float32 tensor of shape (examples, ..., input channels).
            values: float32 tensor, a weight for each connection.
            active: int32 tensor, sorted flat positions, padding at the end.

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
        shape: Tuple of integers, the shape of the inputs.
    """

    def __init__(self, convolution, shape):
        self._convolution = convolution
        axes = (3 - len(convolution.axes)) * (Axis(),) + convolution.axes
        self._x_shape = _in_space(shape)
        self._y_shape = _in_space(convolution.output_shape(shape))
        self._plan = self.plan(convolution, axes, self._x_shape)
        self._remembered = row_column_index.Remembered(self._reads)

    def _sorted(self, active):
        """Sorts connections by input channel and by tap.

        Returns:
            For each connection, its place in `active`, and its number in a
            matrix with a row for each tap of each input channel and a column
            for each output channel.
        """
        rows, outputs = self._convolution.rows, self._convolution.outputs
        row, output = np.divmod(active.astype(np.int64), outputs)
        tap, channel = np.divmod(row, rows)
        channel += output // (outputs // self._convolution.groups) * rows
        order = self._plan.taps.order
        number = channel * len(order) + np.argsort(order)[tap]
        number = number * outputs + output
        origins = np.argsort(number)
        return origins, number[origins]

    def _memory(self, packing, channels):
        """Room for planes, for each thread."""
        floats = channels * len(packing.bases) * packing.plane
        return numba_runtime.empty((numba.get_num_threads(), floats))


class _ToOutputs(_Pass):
    plan = staticmethod(conv_plan.for_outputs)

    def __call__(self, x, values, active, y):
        plan, reads = self._plan, self._remembered.of(active)
        _compiled_forward(plan.rows)(
            plan.grid,
            x.reshape(-1),
            np.array(self._x_shape),
            plan.inputs,
            self._memory(plan.inputs, self._convolution.inputs),
            values[reads.origins],
            reads.offsets,
            reads.starts,
            y.reshape(-1),
            np.array(self._y_shape),
            plan.outputs,
            self._memory(plan.outputs, self._convolution.outputs),
        )

    def _reads(self, active):
        plan, outputs = self._plan, self._convolution.outputs
        origins, numbers = self._sorted(active)
        rows, taps = self._convolution.inputs, len(plan.reads)
        index = row_column_index.index_of(numbers, rows * taps, outputs)
        channel, tap = np.divmod(index.inputs.astype(np.int64), taps)
        plane = channel * len(plan.inputs.bases) + plan.taps.phases[tap]
        return _Reads(
            origins[index.order],
            plane * plan.inputs.plane + plan.reads[tap],
            index.output_starts,
        )


class _ToInputs(_Pass):
    plan = staticmethod(conv_plan.for_inputs)

    def __call__(self, x, values, active, dy, dx, dvalues):
        plan, reads = self._plan, self._remembered.of(active)
        parts = max(_PARTS, numba.get_num_threads())
        sums = np.zeros((parts, len(reads.origins)), np.float32)
        if np.prod(plan.inputs.strides) != len(plan.inputs.bases):
            dx[...] = 0  # phases that no tap reads
        _compiled_backward(plan.rows)(
            plan.grid,
            x.reshape(-1),
            dx.reshape(-1),
            np.array(self._x_shape),
            plan.inputs,
            self._memory(plan.inputs, self._convolution.inputs),
            self._memory(plan.inputs, self._convolution.inputs),
            values[reads.origins],
            reads.offsets,
            reads.starts,
            sums,
            dy.reshape(-1),
            np.array(self._y_shape),
            plan.outputs,
            self._memory(plan.outputs, self._convolution.outputs),
        )
        dvalues[reads.origins] = sums.sum(axis=0)

    def _reads(self, active):
        plan, outputs = self._plan, self._convolution.outputs
        origins, numbers = self._sorted(active)
        row, output = np.divmod(numbers, outputs)
        taps = len(plan.reads)
        phases = len(plan.inputs.bases)
        first_taps = np.searchsorted(plan.taps.phases, np.arange(phases))
        channels = np.arange(self._convolution.inputs + 1)
        planes = (channels[:, None] * taps + first_taps).reshape(-1)
        planes = planes[: (len(channels) - 1) * phases + 1]
        return _Reads(
            origins,
            output * plan.outputs.plane + plan.reads[row % taps],
            np.searchsorted(row, planes),
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
def _compiled_forward(rows):
    width = _OUTPUT_TILE // rows

    @numba.njit(parallel=True)
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
            for tile in range(grid.depths * high * grid.wide):
                line, column = tile // grid.wide, tile % grid.wide
                depth, row = line // high, line % high * rows
                column *= grid.columns
                read = _place(of_x, depth, row, column)
                write = _place(of_y, depth, row, column)
                for output in range(len(starts) - 1):
                    total = simd_rows.zeros(_OUTPUT_TILE)
                    for k in range(starts[output], starts[output + 1]):
                        seen = simd_planes.load(
                            inputs, read + offsets[k], stride, rows, width
                        )
                        total = simd_rows.added(total, values[k], seen)
                    simd_planes.store(
                        outputs, write, y_stride, rows, width, total
                    )
                    write += of_y.plane
            numba_planes.unpack(outputs, of_y, top, group, y_shape, y)

    return forward


@functools.cache
def _compiled_backward(rows):
    width = _INPUT_TILE // rows

    @numba.njit(parallel=True)
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
                    for plane in range(len(starts) - 1):
                        here = simd_planes.load(
                            inputs, place, stride, rows, width
                        )
                        total = simd_rows.zeros(_INPUT_TILE)
                        for k in range(starts[plane], starts[plane + 1]):
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
                            gradients, place, stride, rows, width, total
                        )
                        place += of_x.plane
                numba_planes.unpack(gradients, of_x, top, group, x_shape, dx)

    return backward
