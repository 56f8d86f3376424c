"""Training on several devices and several machines."""

from rigl_tf.distribute import strategies
from rigl_tf.distribute.multi_worker_fit import patch_fit_for_multi_worker

__all__ = ["patch_fit_for_multi_worker", "strategies"]
