"""Memory that TensorFlow takes over."""

import pytest

from rigl_tf.kernels.ops import numba_runtime


@pytest.mark.parametrize("shape", [(3,), (5, 7), (2, 3, 33)])
def test_arrays_begin_where_tensorflow_needs_no_copy(shape):
    for _ in range(20):
        array = numba_runtime.empty(shape)
        assert array.shape == shape
        assert array.flags.c_contiguous and array.flags.writeable
        assert array.ctypes.data % 64 == 0
