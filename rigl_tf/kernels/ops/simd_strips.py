"""Matrices cut into strips of columns; each strip is contiguous in memory.

Rows of a matrix whose starts are a power of two apart compete for the same few
lines of a cache. Rows of a strip do not.
"""

import functools

import numba

from rigl_tf.kernels.ops import simd_rows

_ROWS = 8  # at a time: the processor prefetches about 8 streams


@functools.cache
def splitter(width):
    """Returns a compiled function that copies a matrix into strips.

    The function takes `matrix`, a float32 array of shape (rows, columns),
    `starts`, and `strips`, an array of shape (strips, rows or more, width).
    Columns of the last strip beyond the matrix become zero. Strip i is skipped
    if `starts[i] == starts[i + 1]`.

    Args:
        width: Integer, columns of a strip, a multiple of 8.
    """

    @numba.njit(parallel=True)
    def split(matrix, starts, strips):
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

    return split


@functools.cache
def putter(width):
    """A compiled function of `strip`, `matrix` and `place`: puts one back.

    What of the strip reaches beyond the matrix is left out. Unlike reading,
    writing does not wait for what lies far apart.

    Args:
        width: Integer, columns of a strip, a multiple of 8.
    """

    @numba.njit
    def put(strip, matrix, place):
        num, columns = matrix.shape
        first = place * width
        if first + width <= columns:
            for row in range(num):
                simd_rows.store(
                    matrix[row], place, simd_rows.load(strip, row, width)
                )
        else:
            matrix[:, first:] = strip[:num, : columns - first]

    return put
