"""How sparse kernels are stored: with their zeros, or without."""

from rigl_tf.storage.active import Active as Active
from rigl_tf.storage.active import ActiveDense as ActiveDense
from rigl_tf.storage.active import check_can_be_active as check_can_be_active
from rigl_tf.storage.active import dense_copy as dense_copy
from rigl_tf.storage.active import store_active as store_active
from rigl_tf.storage.blocks import BlockKernel as BlockKernel
from rigl_tf.storage.connections import ActiveKernel as ActiveKernel
from rigl_tf.storage.connections import random_positions as random_positions
from rigl_tf.storage.dense import DenseKernel as DenseKernel
from rigl_tf.storage.flow import Flow as Flow
from rigl_tf.storage.flow import recording as recording
from rigl_tf.storage.keep_zeros import KeepZeros as KeepZeros
from rigl_tf.storage.keep_zeros import WarnOnce as WarnOnce
from rigl_tf.storage.kernel import SparseKernel as SparseKernel
from rigl_tf.storage.kernel import UpdateInputs as UpdateInputs
from rigl_tf.storage.kernel import checked_mask as checked_mask
from rigl_tf.storage.stored import StoredKernel as StoredKernel
