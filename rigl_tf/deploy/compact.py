"""A file format that stores a model's weights without their zeros.

    8 bytes    magic number
    32 bytes   SHA-256 of the rest of the file
    4 bytes    length of the header
    header     JSON: the model, and the name, type and shape of every weight
    parts      two for every weight, zstd: a bit mask of the nonzero numbers,
               then the nonzero numbers

Numbers are split into byte planes, all first bytes first: exponents are similar
and compress well, mantissas do not. A number is zero if all of its bits are
zero, so that the weights are restored bit for bit.
"""

import hashlib
import json
import math
import pathlib
import struct

import keras
import numpy as np
import tensorflow as tf

from rigl_tf._keras_compat import all_layers
from rigl_tf.deploy import loading
from rigl_tf.typing import PathLike
from rigl_tf.utils import durable
from rigl_tf.utils import extras
from rigl_tf.utils.validation import check_count

MAGIC = b"rigl\x00\x01\r\n"  # text-mode copying breaks the last two bytes
_DIGEST = hashlib.sha256().digest_size
_LENGTH = struct.Struct("<I")
_LEVEL = 19


def write(model: keras.Model, path: PathLike) -> None:
    """Writes a model, leaving out the zeros of its weights.

    Args:
        model: Sequential or functional `keras.Model` with exact zeros.
        path: String or path of the file.
    """
    arrays = [tf.convert_to_tensor(v).numpy() for v in model.weights]
    parts = [part for array in arrays for part in _pack(array)]
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


def read(path: PathLike, max_bytes: int | None = None) -> keras.Model:
    """Reads a model that `write` has written.

    Args:
        path: String or path of the file.
        max_bytes: Integer, the largest size of the weights in memory. By
            default 1,000 times the size of the file, or 2**28 bytes if that is
            more.

    Returns:
        `keras.Model` with the same weights, bit for bit.

    Raises:
        ValueError: If the file was changed or is of another format, or if its
            weights take more than `max_bytes`.
    """
    check_count("max_bytes", max_bytes, least=0, optional=True)
    allowed = loading.allowed_bytes(path)
    max_bytes = allowed if max_bytes is None else max_bytes
    data = pathlib.Path(path).read_bytes()
    try:
        header, rest = _split_file(data)
        weights = header["weights"]
        sizes = [_size(weight) for weight in weights]
        if sum(sizes) > max_bytes:
            raise _Refused(
                f"its weights take {sum(sizes):,} bytes. Allow that with "
                f"`max_bytes={sum(sizes)}`"
            )
        _check_shapes(loading.weights(header["model"]), weights)
        arrays = _arrays(weights, header["lengths"], rest)
        model = keras.saving.deserialize_keras_object(
            header["model"], safe_mode=True
        )
        _fill(model, arrays)
    except _Refused as error:
        raise ValueError(f"{path} cannot be read: {error}.") from None
    except Exception as error:  # a bad header can raise anything
        raise loading.unreadable(path, "a compact model", error) from error
    return model


class _Refused(Exception):
    """The reason why a file cannot be read."""


def _pack(array):
    """Returns the two parts of an array: bit mask and nonzero numbers."""
    with extras.needed("export"):
        import zstandard

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
    """Returns the numbers of an array as flat unsigned integers."""
    flat = np.ascontiguousarray(array).reshape(-1)
    return flat.view(f"u{flat.itemsize}")


def _split_file(data):
    """Checks the SHA-256 of a file; returns its header and its parts."""
    start = len(MAGIC) + _DIGEST
    if not data.startswith(MAGIC):
        raise _Refused("it does not start like a compact model")
    body = data[start:]
    if hashlib.sha256(body).digest() != data[len(MAGIC) : start]:
        raise _Refused("its SHA-256 does not match its content")
    (length,) = _LENGTH.unpack_from(body)
    rest = body[_LENGTH.size + length :]
    return json.loads(body[_LENGTH.size :][:length]), rest


def _dtype(weight):
    return np.dtype(tf.as_dtype(weight["dtype"]).as_numpy_dtype)


def _size(weight):
    """Returns the size of a weight in bytes; checks its dimensions."""
    if not all(type(n) is int and n >= 0 for n in weight["shape"]):
        raise _Refused(
            f"{weight['name']!r} has an invalid shape {weight['shape']}"
        )
    return math.prod(weight["shape"]) * _dtype(weight).itemsize


def _arrays(weights, lengths, rest):
    if len(lengths) != 2 * len(weights) or sum(lengths) != len(rest):
        raise _Refused("its parts do not have the lengths in its header")
    ends = np.cumsum(lengths, dtype=np.int64)
    parts = [rest[end - n : end] for n, end in zip(lengths, ends, strict=True)]
    return [
        _unpack(weight, bits, values)
        for weight, bits, values in zip(
            weights, parts[::2], parts[1::2], strict=True
        )
    ]


def _unpack(weight, bits, values):
    count, dtype = math.prod(weight["shape"]), _dtype(weight)
    bits = np.frombuffer(_decompress(bits, -(-count // 8)), np.uint8)
    is_set = np.unpackbits(bits, count=count).astype(bool)
    kept = np.count_nonzero(is_set)
    by_byte = _decompress(values, kept * dtype.itemsize)
    by_byte = np.frombuffer(by_byte, np.uint8).reshape(dtype.itemsize, kept)
    words = np.zeros(count, f"u{dtype.itemsize}")
    words[is_set] = np.ascontiguousarray(by_byte.T).view(words.dtype)[:, 0]
    return words.view(dtype).reshape(weight["shape"])


def _decompress(part, size):
    """Decompresses a part, which must have exactly `size` bytes."""
    with extras.needed("export"):
        import zstandard

    try:
        frame = zstandard.get_frame_parameters(part)
        if frame.content_size != size:
            raise _Refused("a part does not have the expected size")
        return zstandard.ZstdDecompressor().decompress(part)
    except zstandard.ZstdError as error:
        raise _Refused(f"a part cannot be decompressed ({error})") from None


def _check_shapes(variables, weights):
    """Compares the shapes and types of a model with the file."""
    if len(variables) != len(weights):
        raise _Refused(
            f"its model has {len(variables)} weights, the file {len(weights)}"
        )
    for variable, weight in zip(variables, weights, strict=True):
        stored = tuple(weight["shape"]), _dtype(weight)
        if (tuple(variable.shape), _dtype({"dtype": variable.dtype})) != stored:
            raise _Refused(
                f"{variable.path!r} has shape {tuple(variable.shape)} in the "
                f"model and {stored[0]} in the file, or another type"
            )


def _fill(model, arrays):
    for variable, array in zip(model.weights, arrays, strict=True):
        variable.assign(array)
    for layer in all_layers(model, include_self=False):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # it computes with copies of its weights
