"""Storage of sparse kernels: dense with a mask, or active weights only."""

from rigl_tf.kernels.activation_tape import Flow as Flow
from rigl_tf.kernels.activation_tape import recording as recording
from rigl_tf.kernels.base import SparseKernel as SparseKernel
from rigl_tf.kernels.base import UpdateInputs as UpdateInputs
from rigl_tf.kernels.base import checked_mask as checked_mask
from rigl_tf.kernels.block_kernel import BlockKernel as BlockKernel
from rigl_tf.kernels.coo_kernel import ActiveKernel as ActiveKernel
from rigl_tf.kernels.coo_kernel import random_positions as random_positions
from rigl_tf.kernels.dense_kernel import DenseKernel as DenseKernel
from rigl_tf.kernels.keep_zeros import KeepZeros as KeepZeros
from rigl_tf.kernels.keep_zeros import WarnOnce as WarnOnce
from rigl_tf.kernels.sparse_attention import (
    ActiveMultiHeadAttention as ActiveMultiHeadAttention,
)
from rigl_tf.kernels.sparse_attention import (
    adopt_active_parts as adopt_active_parts,
)
from rigl_tf.kernels.sparse_attention import dense_attention as dense_attention
from rigl_tf.kernels.sparse_attention import (
    parts_of_attention as parts_of_attention,
)
from rigl_tf.kernels.sparse_layers import Active as Active
from rigl_tf.kernels.sparse_layers import ActiveDense as ActiveDense
from rigl_tf.kernels.sparse_layers import dense_copy as dense_copy
from rigl_tf.kernels.sparse_layers import store_active as store_active
from rigl_tf.kernels.sparse_layers import unit_of as unit_of
from rigl_tf.kernels.sparse_layers import why_dense as why_dense
from rigl_tf.kernels.stored_kernel import StoredKernel as StoredKernel
