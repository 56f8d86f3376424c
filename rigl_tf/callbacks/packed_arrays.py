"""Arrays as bytes: the values that are not zero, and one bit a position.

Kernels, their masks and their optimizer slots are often zero at the same
positions. The bits of these positions are stored once.
"""

import hashlib
import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf


class Spec(NamedTuple):
    """Name, dtype and shape of an array.

    Attributes:
        name: String, unique in its checkpoint.
        dtype: String.
        shape: Tuple of integers.
    """

    name: str
    dtype: str
    shape: tuple

    def __str__(self):
        return f"{self.name} ({self.dtype} of shape {tuple(self.shape)})"

    @property
    def size(self):
        """Integer, number of elements."""
        return math.prod(self.shape)

    @property
    def numpy(self):
        """The `np.dtype`."""
        return np.dtype(tf.as_dtype(self.dtype).as_numpy_dtype)


class Packed(NamedTuple):
    """An array in a file.

    Attributes:
        spec: `Spec`.
        nonzero: Integer, number of elements that are not zero, or `None` if all
            elements are stored.
        source: Integer, index of the array whose bits mark these elements. If
            it is the array itself, its bits are stored before its values.
    """

    spec: Spec
    nonzero: int | None
    source: int

    def num_bytes(self, index):
        """Returns the bytes of this array, number `index` in its file."""
        itemsize = self.spec.numpy.itemsize
        if self.nonzero is None:
            return self.spec.size * itemsize
        num = -(-self.spec.size // 8) if self.source == index else 0
        return num + (
            0 if self.spec.dtype == "bool" else self.nonzero * itemsize
        )


class Packer:
    """Converts arrays to bytes, one after another.

    Attributes:
        packed: List of `Packed`, one for each array so far.
    """

    def __init__(self):
        self.packed = []
        self._sources = {}  # from bits, as a digest, to the index of an array

    def pack(self, spec, array):
        """Returns the bytes of the next array."""
        flat = np.ascontiguousarray(array).reshape(-1)
        index = len(self.packed)
        # As integers, so that -0.0 is a value and not a zero.
        marks = flat.view(f"u{flat.itemsize}") != 0
        bits = np.packbits(marks).tobytes()
        key = flat.size, hashlib.sha256(bits).digest()
        source = self._sources.get(key, index)
        packed = Packed(spec, int(np.count_nonzero(marks)), source)
        if packed.num_bytes(index) >= flat.nbytes:
            self.packed.append(Packed(spec, None, index))
            return flat.tobytes()
        self.packed.append(packed)
        self._sources[key] = source
        values = b"" if spec.dtype == "bool" else flat[marks].tobytes()
        return (bits if source == index else b"") + values


def unpack(packed, read):
    """Yields arrays.

    Args:
        packed: List of `Packed`, from `parse`.
        read: Function from a number of bytes to the next bytes of the file.

    Raises:
        ValueError: If the bits do not fit the count of an array.
    """
    marks = {}
    for index, (spec, count, source) in enumerate(packed):
        if count is None:
            data = np.frombuffer(read(packed[index].num_bytes(index)), np.uint8)
            # Bytes of booleans may have any value in a harmful file.
            is_bool = spec.dtype == "bool"
            flat = data.astype(bool) if is_bool else data.view(spec.numpy)
            yield flat.reshape(spec.shape)
            continue
        if source == index:
            bits = read(-(-spec.size // 8))
            marks[index] = np.frombuffer(bits, np.uint8)
        is_set = np.unpackbits(marks[source], count=spec.size).view(bool)
        if np.count_nonzero(is_set) != count:
            raise ValueError(f"{spec} does not have {count} values")
        if spec.dtype == "bool":
            yield is_set.reshape(spec.shape)
            continue
        array = np.zeros(spec.size, spec.numpy)
        values = read(count * spec.numpy.itemsize)
        array[is_set] = np.frombuffer(values, spec.numpy)
        yield array.reshape(spec.shape)


def parse(values):
    """Returns the list of `Packed` that parsed JSON describes.

    Raises:
        ValueError: If it is malformed.
    """
    packed = []
    try:
        for index, (spec, count, source) in enumerate(values):
            name, dtype, shape = spec
            spec = Spec(name, dtype, tuple(shape))
            packed.append(Packed(spec, count, source))
            first = packed[source]
            is_right = type(source) is int and 0 <= source <= index
            if count is None:
                is_right &= source == index
            else:
                is_right &= (
                    type(count) is int
                    and 0 <= count <= spec.size
                    and first.nonzero == count
                    and first.source == source
                    and first.spec.size == spec.size
                )
            if not is_right or packed[index].num_bytes(index) < 0:
                raise ValueError
    except (IndexError, TypeError, ValueError):
        raise ValueError("has no valid list of its arrays") from None
    return packed
