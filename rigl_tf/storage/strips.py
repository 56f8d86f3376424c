"""Matrices cut into strips of columns, each of which lies together in memory.

The rows of a matrix compete for the same few places in a cache if they begin a
power of two apart; those of a strip do not.
"""

import numba

_ROWS = 8  # at a time, so many streams as the processor reads ahead


@numba.njit(parallel=True)
def split(matrix, strips):
    """Copies a matrix into strips.

    Args:
        matrix: float32 array of shape (rows, columns).
        strips: float32 array of shape (strips, rows or more, columns of a
            strip). Where the last one reaches beyond the matrix, it is zero.
    """
    num, columns = matrix.shape
    length = strips.shape[2]
    for group in numba.prange(-(-num // _ROWS)):
        for strip in range(len(strips)):
            first = strip * length
            inside = min(length, columns - first)
            for row in range(group * _ROWS, min((group + 1) * _ROWS, num)):
                for i in range(inside):
                    strips[strip, row, i] = matrix[row, first + i]
                for i in range(inside, length):
                    strips[strip, row, i] = 0


@numba.njit
def put(strip, matrix, first):
    """Copies a strip to where it belongs.

    Unlike reading, writing does not wait for what lies far apart.

    Args:
        strip: float32 array of shape (rows, columns of a strip). What reaches
            beyond the matrix is left out.
        matrix: float32 array of shape (rows, columns).
        first: Integer, the column that the strip begins at.
    """
    inside = min(strip.shape[1], matrix.shape[1] - first)
    for row in range(len(matrix)):
        for i in range(inside):
            matrix[row, first + i] = strip[row, i]
