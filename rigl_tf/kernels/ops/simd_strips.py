"""Matrices cut into strips of columns; each strip is contiguous in memory.

Rows of a matrix whose starts are a power of two apart compete for the same few
lines of a cache. Rows of a strip do not.
"""

import numba

from rigl_tf.kernels.ops import simd_rows

_ROWS = 8  # at a time: the processor prefetches about 8 streams


@numba.njit(parallel=True)
def split(matrix, starts, strips, width):
    """Copies a matrix into strips.

    Columns of the last strip beyond the matrix become zero. Strip i is skipped
    if `starts[i] == starts[i + 1]`.

    Args:
        matrix: float32 array of shape (rows, columns).
        starts: int32 array, one number more than strips.
        strips: float32 array of shape (strips, rows or more, width).
        width: Integer that is known when this is compiled, a multiple of 8.
    """
    num, columns = matrix.shape
    whole, rest = divmod(columns, width)
    for group in numba.prange(-(-num // _ROWS)):
        begin, end = group * _ROWS, min((group + 1) * _ROWS, num)
        for strip in range(whole):
            if starts[strip] == starts[strip + 1]:
                continue
            for row in range(begin, end):
                part = simd_rows.load(matrix[row], strip, width)
                simd_rows.store(strips[strip], row, part)
        if rest:
            for row in range(begin, end):
                strips[whole, row, :rest] = matrix[row, columns - rest :]
                strips[whole, row, rest:] = 0


@numba.njit
def put(strip, matrix, place, width):
    """Copies a strip to its place in a matrix, without columns beyond it.

    Unlike reading, writing does not wait for what lies far apart.

    Args:
        strip: float32 array of shape (rows or more, width).
        matrix: float32 array of shape (rows, columns).
        place: Integer, the number of the strip.
        width: Integer that is known when this is compiled, a multiple of 8.
    """
    num, columns = matrix.shape
    first = place * width
    if first + width <= columns:
        for row in range(num):
            simd_rows.store(
                matrix[row], place, simd_rows.load(strip, row, width)
            )
    else:
        for row in range(num):
            for column in range(first, columns):
                matrix[row, column] = strip[row, column - first]
