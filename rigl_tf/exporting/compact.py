"""A file with a model's weights without their zeros.

    8 bytes    what it is
    32 bytes   SHA-256 of all that follows
    4 bytes    length of the header
    header     JSON: the model, and of every weight its name, type and shape
    parts      of every weight, zstd: a bit for each number, set if it is not
               zero; then those that are not

Numbers are written byte by byte, all first bytes first: exponents are alike and
are compressed well, mantissas are not. A weight is zero if all of its bits are,
so that what comes back is the same, bit for bit.
"""

import hashlib
import json
import math
import pathlib
import struct

import keras
import numpy as np
import tensorflow as tf

from rigl_tf import durable
from rigl_tf.exporting import loading

MAGIC = b"rigl\x00\x01\r\n"  # the last two are what careless copying breaks
_DIGEST = hashlib.sha256().digest_size
_LENGTH = struct.Struct("<I")
_LEVEL = 19


def write(model, path):
    """Writes a model without the zeros of its weights.

    Args:
        model: `keras.Model`, Sequential or functional, with exact zeros.
        path: String or path of the file.
    """
    arrays = [tf.convert_to_tensor(v).numpy() for v in model.weights]
    parts = [part for array in arrays for part in _packed(array)]
    header = {
        "model": keras.saving.serialize_keras_object(model),
        "weights": [
            {
                "name": variable.path,
                "dtype": variable.dtype,
                "shape": list(variable.shape),
            }
            for variable in model.weights
        ],
        "lengths": [len(part) for part in parts],
    }
    header = json.dumps(header).encode()
    body = b"".join([_LENGTH.pack(len(header)), header, *parts])
    digest = hashlib.sha256(body).digest()
    with durable.replacing(path) as partial:
        partial.write_bytes(MAGIC + digest + body)


def read(path, most_bytes=None):
    """Reads what `write` has written.

    Args:
        path: String or path of the file.
        most_bytes: Integer, the most memory that the weights may take. By
            default 1,000 times as much as the file, or 2**28 bytes if that is
            more.

    Returns:
        `keras.Model`, with the same weights, bit for bit.

    Raises:
        ValueError: If the file is not what was written, or takes too much.
    """
    allowed = loading.allowed_bytes(path)
    most_bytes = allowed if most_bytes is None else most_bytes
    data = pathlib.Path(path).read_bytes()
    try:
        header, rest = _opened(data)
        weights = header["weights"]
        sizes = [_size(weight) for weight in weights]
        if sum(sizes) > most_bytes:
            raise _Refused(
                f"its weights take {sum(sizes):,} bytes; allow it with "
                f"`most_bytes={sum(sizes)}`"
            )
        _check_shapes(loading.weights(header["model"]), weights)
        arrays = _arrays(weights, header["lengths"], rest)
        model = keras.saving.deserialize_keras_object(
            header["model"], safe_mode=True
        )
        _fill(model, arrays)
    except _Refused as error:
        raise ValueError(f"{path} is not read: {error}.") from None
    except Exception as error:  # Keras raises whatever a header causes
        raise ValueError(
            f"{path} is not read: it is not what `rigl_tf.export` writes "
            f"({type(error).__name__}: {error})."
        ) from error
    return model


class _Refused(Exception):
    """Says why a file is not read."""


def _packed(array):
    """The two parts of an array: which numbers are not zero, and those."""
    import zstandard  # of the extra `rigl_tf[export]`

    words = _words(array)
    is_set = words != 0
    values = words[is_set]
    by_byte = values.view(np.uint8).reshape(-1, values.itemsize).T
    compressor = zstandard.ZstdCompressor(level=_LEVEL)
    return [
        compressor.compress(np.packbits(is_set).tobytes()),
        compressor.compress(by_byte.tobytes()),
    ]


def _words(array):
    """The bits of an array's numbers, flat."""
    flat = np.ascontiguousarray(array).reshape(-1)
    return flat.view(f"u{flat.itemsize}")


def _opened(data):
    """The header and the parts of a file that is whole."""
    start = len(MAGIC) + _DIGEST
    if not data.startswith(MAGIC):
        raise _Refused("it does not begin like a compact model")
    body = data[start:]
    if hashlib.sha256(body).digest() != data[len(MAGIC) : start]:
        raise _Refused("its SHA-256 is not that of what it holds")
    (length,) = _LENGTH.unpack_from(body)
    rest = body[_LENGTH.size + length :]
    return json.loads(body[_LENGTH.size :][:length]), rest


def _dtype(weight):
    return np.dtype(tf.as_dtype(weight["dtype"]).as_numpy_dtype)


def _size(weight):
    """Bytes of a weight; each dimension must be a natural number."""
    if not all(type(n) is int and n >= 0 for n in weight["shape"]):
        raise _Refused(f"{weight['name']!r} has no shape")
    return math.prod(weight["shape"]) * _dtype(weight).itemsize


def _arrays(weights, lengths, rest):
    if len(lengths) != 2 * len(weights) or sum(lengths) != len(rest):
        raise _Refused("its parts are not as long as it says")
    ends = np.cumsum(lengths, dtype=np.int64)
    parts = [rest[end - n : end] for n, end in zip(lengths, ends, strict=True)]
    return [
        _unpacked(weight, bits, values)
        for weight, bits, values in zip(
            weights, parts[::2], parts[1::2], strict=True
        )
    ]


def _unpacked(weight, bits, values):
    count, dtype = math.prod(weight["shape"]), _dtype(weight)
    bits = np.frombuffer(_inflated(bits, -(-count // 8)), np.uint8)
    is_set = np.unpackbits(bits, count=count).astype(bool)
    kept = np.count_nonzero(is_set)
    by_byte = _inflated(values, kept * dtype.itemsize)
    by_byte = np.frombuffer(by_byte, np.uint8).reshape(dtype.itemsize, kept)
    words = np.zeros(count, f"u{dtype.itemsize}")
    words[is_set] = np.ascontiguousarray(by_byte.T).view(words.dtype)[:, 0]
    return words.view(dtype).reshape(weight["shape"])


def _inflated(part, size):
    """Decompressed, if it is exactly so many bytes."""
    import zstandard

    try:
        frame = zstandard.get_frame_parameters(part)
        if frame.content_size != size:
            raise _Refused("a part holds more or less than it should")
        return zstandard.ZstdDecompressor().decompress(part)
    except zstandard.ZstdError as error:
        raise _Refused(f"a part cannot be decompressed ({error})") from None


def _check_shapes(variables, weights):
    """Compares a model with what the file has for it."""
    if len(variables) != len(weights):
        raise _Refused(
            f"its model has {len(variables)} weights, and it {len(weights)}"
        )
    for variable, weight in zip(variables, weights, strict=True):
        there = tuple(weight["shape"]), _dtype(weight)
        if (tuple(variable.shape), _dtype({"dtype": variable.dtype})) != there:
            raise _Refused(
                f"{variable.path!r} has shape {tuple(variable.shape)} in the "
                f"model and {there[0]} among the weights, or another type"
            )


def _fill(model, arrays):
    for variable, array in zip(model.weights, arrays, strict=True):
        variable.assign(array)
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # it computes with copies of its weights
