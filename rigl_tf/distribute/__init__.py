"""Training on several devices and several machines."""

from rigl_tf.distribute import strategies
from rigl_tf.distribute.multi_worker_fit import mend

__all__ = ["mend", "strategies"]
