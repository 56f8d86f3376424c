"""Memory for the results of compiled products."""

import math

import numpy as np

_ALIGNMENT = 64  # bytes; TensorFlow adopts such arrays without a copy
_LARGE = 31 << 20  # bytes, just below the limit of `_keep_freed`


def empty(shape):
    """Returns a float32 array that TensorFlow adopts without a copy."""
    size = math.prod(shape)
    room = np.empty(size + _ALIGNMENT // 4, np.float32)
    first = -room.ctypes.data % _ALIGNMENT // 4
    return room[first : first + size].reshape(shape)


def _keep_freed():
    """Makes the C library keep freed memory, which every step needs again.

    By default, it returns large pieces to the system, which clears them before
    they are used again. It stops doing so after one such piece was freed.
    """
    np.empty(_LARGE, np.uint8)


_keep_freed()
