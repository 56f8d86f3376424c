"""What algorithms see, in every precision."""

import keras
import numpy as np
import pytest

from rigl_tf import kernels
from rigl_tf.modeling import sparse_wrapper
from rigl_tf.sparsity.structures import Unstructured


@pytest.mark.parametrize(
    ("policy", "dtype"),
    [("float64", "float64"), ("float32", "float32"), ("float16", "float32")],
)
def test_all_floats_in_a_view_are_of_one_type(policy, dtype):
    layer = keras.layers.Dense(3, dtype=policy)
    layer.build((None, 4))
    (kernel,) = sparse_wrapper.Sparse(layer).kernels
    gradient = np.ones((4, 3), "float16")
    sign = np.ones((4, 3), "int8")

    view = kernel.view(
        kernels.UpdateInputs(
            gradient, sign=sign, structure=Unstructured(), seed=(0, 0)
        )
    )

    for values in (view.weight, view.gradient, view.sign):
        assert values.dtype == dtype
