"""How sparse kernels are stored."""

from rigl_tf.storage.dense import DenseKernel as DenseKernel
from rigl_tf.storage.dense import KeepZeros as KeepZeros
from rigl_tf.storage.kernel import Beside as Beside
from rigl_tf.storage.kernel import SparseKernel as SparseKernel
from rigl_tf.storage.kernel import checked_mask as checked_mask
