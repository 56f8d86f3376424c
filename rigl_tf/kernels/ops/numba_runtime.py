"""Memory for what compiled products return."""

import math

import numpy as np

_ALIGNMENT = 64  # bytes, of what TensorFlow takes over without a copy
_LARGE = 31 << 20  # bytes, just below the most that `_keep_freed` works for


def empty(shape):
    """A float32 array that TensorFlow takes over without a copy."""
    size = math.prod(shape)
    room = np.empty(size + _ALIGNMENT // 4, np.float32)
    first = -room.ctypes.data % _ALIGNMENT // 4
    return room[first : first + size].reshape(shape)


def _keep_freed():
    """Makes the C library keep pieces of memory that every step needs anew.

    It returns large ones to the system, which clears them before they can be
    used again, until it has seen one of their size freed.
    """
    np.empty(_LARGE, np.uint8)


_keep_freed()
