"""Convolutions with a kernel stored in blocks, compiled by numba, on all cores.

A tile of outputs of some examples stays in registers while all blocks of its
channels are multiplied by what their taps read. Pictures keep their layout:
channels are side by side already.
"""

import functools
import math
from typing import NamedTuple

import numba
import numpy as np
import tensorflow as tf

from rigl_tf._keras_compat import is_for_xla
from rigl_tf.kernels.ops import conv_matmul
from rigl_tf.kernels.ops import numba_block_matmul
from rigl_tf.kernels.ops import numba_cache
from rigl_tf.kernels.ops import numba_runtime
from rigl_tf.kernels.ops import numba_threads
from rigl_tf.kernels.ops import row_column_index
from rigl_tf.kernels.ops import simd_rows

_HELD = 256 if simd_rows.HAS_AVX512 else 64  # floats that registers hold
_LANES = 16  # floats of a register
_PARTS = 8  # per thread, so that no thread waits long for another
_CACHE = 1 << 18  # floats of pictures that the second-level cache holds
_PAIRS = 32  # of positions at a time, which the first-level cache holds


class _Reads(NamedTuple):
    """Blocks, sorted by the channels that they add to.

    Channels are numbered in units of a block's side.

    Attributes:
        starts: int64 array, the first block of each channel, and the end.
        taps: int64 array, the tap of each block.
        sources: int64 array, the channel that each block reads.
        targets: int64 array, the channel that each block adds to.
        blocks: int64 array, the number of each block.
    """

    starts: np.ndarray
    taps: np.ndarray
    sources: np.ndarray
    targets: np.ndarray
    blocks: np.ndarray


class Product(conv_matmul.BlocksAsMatmul, numba_block_matmul.Product):
    """Convolves with one kernel and remembers where its blocks are.

    It has the arguments of `conv_matmul.BlockProduct`; rows and columns of a
    block must be multiples of 8. Blocks that divide the channels need no copies
    of what the taps read.
    """

    def __init__(self, convolution, rows, columns):
        super().__init__(convolution, rows, columns)
        self._divides = (
            convolution.rows % rows == 0 and convolution.outputs % columns == 0
        )
        # For the last few sizes of pictures.
        self._maps = functools.lru_cache(4)(
            functools.partial(_maps, convolution.axes)
        )
        self._reads = row_column_index.Remembered(self._reads_of)

    def forward(self, x, values, active):
        if is_for_xla() or not self._divides:
            return super().forward(x, values, active)
        y = tf.numpy_function(
            self._convolved, [x, values, active], tf.float32, stateful=False
        )
        return tf.ensure_shape(y, self._convolution.output_shape(x.shape))

    def backward(self, x, values, active, dy):
        if is_for_xla() or not self._divides:
            return super().backward(x, values, active, dy)
        dx, dvalues = tf.numpy_function(
            self._gradients,
            [x, values, active, dy],
            [tf.float32, tf.float32],
            stateful=False,
        )
        dx = tf.ensure_shape(dx, x.shape)
        return dx, tf.ensure_shape(dvalues, values.shape)

    def _convolved(self, x, values, active):
        numba_threads.use()
        read, _ = self._maps(x.shape[1:-1])
        reads, _ = self._reads.of(active)
        y = numba_runtime.empty(self._convolution.output_shape(x.shape))
        forward, _ = _compiled(self._rows, self._columns)
        forward(_by_position(x), values, read, reads, _parts(), _by_position(y))
        return y

    def _gradients(self, x, values, active, dy):
        numba_threads.use()
        read, read_by = self._maps(x.shape[1:-1])
        to_outputs, to_inputs = self._reads.of(active)
        dx = numba_runtime.empty(x.shape)
        dvalues = np.zeros_like(values)
        turned = np.ascontiguousarray(values.transpose(0, 2, 1))
        x, dy = _by_position(x), _by_position(dy)
        forward, _ = _compiled(self._columns, self._rows)
        forward(dy, turned, read_by, to_inputs, _parts(), _by_position(dx))
        _, backward = _compiled(self._rows, self._columns)
        group = max(_CACHE * len(x) // (x.size + dy.size + 1), 1)
        backward(x, dy, read, to_outputs, _parts(), group, dvalues)
        return dx, dvalues

    def _reads_of(self, active):
        """Returns the `_Reads` of outputs, and those of gradients of inputs."""
        row, column = np.divmod(active.astype(np.int64), self._across)
        down = self._convolution.rows // self._rows
        tap, row = np.divmod(row, down)
        return (
            _sorted(tap, row, column, self._across),
            _sorted(tap, column, row, down),
        )


def _sorted(taps, sources, targets, count):
    order = np.argsort(targets, kind="stable")
    starts = np.searchsorted(targets[order], np.arange(count + 1))
    return _Reads(starts, taps[order], sources[order], targets[order], order)


def _maps(axes, sizes):
    """Finds what the taps read, for pictures of some size.

    Args:
        axes: Tuple of `Axis`.
        sizes: Tuple of integers, the input positions of each axis.

    Returns:
        Two int32 arrays. One has shape (taps, output positions), the input
        position that each tap reads; the other has shape (taps, input
        positions), the output position that reads it by each tap. Both are -1
        where there is none.
    """
    read, is_inside = np.zeros((1, 1), np.int32), np.ones((1, 1), bool)
    for axis, size in zip(axes, sizes, strict=True):
        first = np.arange(axis.taps) * axis.dilation - axis.zeros(size)[0]
        at = first[:, None] + np.arange(axis.outputs(size)) * axis.stride
        shape = len(read) * axis.taps, read.shape[1] * at.shape[1]
        both = is_inside[:, None, :, None] & ((at >= 0) & (at < size))[:, None]
        is_inside = both.reshape(shape)
        read = (read[:, None, :, None] * size + at[:, None]).reshape(shape)
    read_by = np.full((len(read), math.prod(sizes)), -1, np.int32)
    tap, output = np.nonzero(is_inside)
    read_by[tap, read[tap, output]] = output
    return np.where(is_inside, read, -1).astype(np.int32), read_by


def _parts():
    """Returns how many parts the work is cut into."""
    return _PARTS * numba.get_num_threads()


def _by_position(x):
    """Reshapes to (examples, positions, channels)."""
    return x.reshape(x.shape[0], math.prod(x.shape[1:-1]), x.shape[-1])


@functools.cache
def _compiled(height, width):
    """Returns both products for blocks of `height` rows, `width` columns."""
    lanes = max(_HELD // (-(-width // _LANES) * _LANES), 1)
    lanes = 1 << lanes.bit_length() - 1
    rows = math.gcd(lanes, height)
    of_lanes, of_rows = lanes * width, rows * width

    def forward(x, values, read, reads, most, y):
        num, count, channels = y.shape
        across = channels // width
        tiles = -(-num * count // lanes)
        parts = min(most, tiles)
        for part in numba.prange(parts):
            seen = np.empty((lanes, height), np.float32)
            made = np.empty((lanes, width), np.float32)
            examples = np.empty(lanes, np.int64)
            positions = np.empty(lanes, np.int64)
            begin, end = part * tiles // parts, (part + 1) * tiles // parts
            for tile in range(begin, end):
                first = tile // count * lanes
                size = min(lanes, num - first)
                position, example = divmod(tile % count * lanes, size)
                for lane in range(lanes):
                    examples[lane] = first + example
                    # Beyond the end, a lane repeats what another does.
                    positions[lane] = min(position, count - 1)
                    example += 1
                    if example == size:
                        example, position = 0, position + 1
                for o in range(across):
                    total = simd_rows.zeros(of_lanes)
                    for k in range(reads.starts[o], reads.starts[o + 1]):
                        is_inside = False
                        for lane in range(lanes):
                            at = read[reads.taps[k], positions[lane]]
                            if at >= 0:
                                pixel = x[examples[lane], at]
                                row = simd_rows.load(
                                    pixel, reads.sources[k], height
                                )
                                simd_rows.store(seen[lane], 0, row)
                                is_inside = True
                            else:
                                simd_rows.store(
                                    seen[lane], 0, simd_rows.zeros(height)
                                )
                        if not is_inside:
                            continue
                        block = values[reads.blocks[k]]
                        for i in range(height):
                            total = simd_rows.outer_added(
                                total, seen, i, height, block, i, lanes
                            )
                    simd_rows.store(made, 0, total)
                    for lane in range(lanes):
                        row = simd_rows.load(made[lane], 0, width)
                        pixel = y[examples[lane], positions[lane]]
                        simd_rows.store(pixel, o, row)

    def backward(x, dy, read, reads, most, group, dvalues):
        num, count, _ = dy.shape
        number = len(reads.blocks)
        parts = min(most, number)
        # Pictures of few positions are taken several at a time.
        several, pieces = max(_PAIRS // max(count, 1), 1), -(-count // _PAIRS)
        for part in numba.prange(parts):
            seen = np.empty((_PAIRS, height), np.float32)
            above = np.empty((_PAIRS, width), np.float32)
            start, stop = part * number // parts, (part + 1) * number // parts
            for first in range(0, num, group):
                last = min(first + group, num)
                for k in range(start, stop):
                    source, target = reads.sources[k], reads.targets[k]
                    gradient = dvalues[reads.blocks[k]]
                    for step in range(-(-(last - first) // several) * pieces):
                        begin = first + step // pieces * several
                        piece = step % pieces * _PAIRS
                        pairs = 0
                        for example in range(begin, min(begin + several, last)):
                            for position in range(
                                piece, min(piece + _PAIRS, count)
                            ):
                                at = read[reads.taps[k], position]
                                if at >= 0:
                                    row = simd_rows.load(
                                        x[example, at], source, height
                                    )
                                    simd_rows.store(seen[pairs], 0, row)
                                    row = simd_rows.load(
                                        dy[example, position], target, width
                                    )
                                    simd_rows.store(above[pairs], 0, row)
                                    pairs += 1
                        for i in range(0, height, rows):
                            total = simd_rows.load(gradient[i], 0, of_rows)
                            for pair in range(pairs):
                                total = simd_rows.outer_added(
                                    total,
                                    seen,
                                    pair * height + i,
                                    1,
                                    above,
                                    pair,
                                    rows,
                                )
                            simd_rows.store(gradient[i], 0, total)

    return (
        numba_cache.njit(forward, parallel=True),
        numba_cache.njit(backward, parallel=True),
    )
