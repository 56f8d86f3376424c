"""Fixed weights for searches that train scores."""

import numpy as np

from rigl_tf.modeling import sparse_wrapper
from rigl_tf.tickets.search.score_rules import fan_in
from rigl_tf.utils import tensors

WEIGHTS = ("own", "signed_constant")


def make_signed_constant(sparse):
    """Sets all weights of a kernel to sqrt(2 / fan_in) with their own signs.

    The value is the standard deviation of He et al.

    Args:
        sparse: `SparseModel`.

    Reference:
        [Ramanujan et al., 2020](https://arxiv.org/abs/1911.13299), section 4.
    """
    for kernel in sparse_wrapper.sparse_kernels(sparse):
        signs = np.where(tensors.as_array(kernel.variable) < 0, -1.0, 1.0)
        kernel.variable.assign(signs * (2 / fan_in(kernel)) ** 0.5)
