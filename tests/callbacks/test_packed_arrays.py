"""Tests of arrays without their zeros."""

import io
import json

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from rigl_tf.callbacks import packed_arrays
from rigl_tf.callbacks.packed_arrays import Spec

SPECIAL = [0.0, 0.0, 0.0, 0.0, -0.0, 1.5, np.inf, np.nan]
DTYPES = ["float32", "float64", "float16", "bfloat16", "int64", "uint8", "bool"]


def packed(arrays):
    """Returns the bytes of arrays, and their description as parsed JSON."""
    packer = packed_arrays.Packer()
    data = b"".join(
        packer.pack(Spec(str(i), array.dtype.name, array.shape), array)
        for i, array in enumerate(arrays)
    )
    return data, json.loads(json.dumps(packer.packed))


def unpacked(data, described):
    file = io.BytesIO(data)
    found = [
        *packed_arrays.unpack(packed_arrays.parse(described), file.read),
    ]
    assert not file.read()
    return found


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(DTYPES),
            st.lists(st.sampled_from(SPECIAL), max_size=40),
        ),
        max_size=4,
    )
)
def test_arrays_are_unpacked_bit_for_bit(arrays):
    arrays = [
        np.nan_to_num(np.array(values), posinf=9).astype(dtype)
        if dtype in ("int64", "uint8", "bool")
        else np.array(values).astype(getattr(ml_dtypes, dtype, dtype))
        for dtype, values in arrays
    ]

    found = unpacked(*packed(arrays))

    for array, original in zip(found, arrays, strict=True):
        assert array.dtype == original.dtype
        assert array.shape == original.shape
        assert array.tobytes() == original.tobytes()


def test_kernel_mask_and_slot_of_a_sparse_layer_take_little():
    mask = np.random.default_rng(0).random((100, 200)) < 0.05
    arrays = [np.float32(mask), mask, 0.5 * np.float32(mask)]

    data, _ = packed(arrays)

    assert 15 * len(data) < sum(array.nbytes for array in arrays)


def test_arrays_without_zeros_take_no_more():
    arrays = [np.ones(3, "float32"), np.array(7), np.array(True)]

    data, _ = packed(arrays)

    assert len(data) == sum(array.nbytes for array in arrays)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ((0, 1), -1),
        ((0, 1), 2**40),
        ((0, 1), True),
        ((0, 1), "3"),
        ((0, 2), 1),
        ((0, 2), -1),
        ((1, 2), 2),
        ((1, 1), 4),
        ((0, 0, 2), [-1]),
        ((0, 0, 1), "float33"),
    ],
)
def test_a_malformed_description_is_refused(place, value):
    array = np.float32([0, 0, 3, 0, 0, 0, 0, 4, 0, 0])
    _, described = packed([array, array != 0])
    *path, last = place
    inner = described
    for index in path:
        inner = inner[index]
    inner[last] = value

    with pytest.raises(ValueError, match="no valid list of its arrays"):
        packed_arrays.parse(described)


def test_bits_that_do_not_fit_the_count_are_seen():
    data, described = packed([np.float32([0, 0, 3, 0, 0, 0, 0, 4])])

    with pytest.raises(ValueError, match="does not have 2 values"):
        unpacked(b"\xff" + data[1:], described)
