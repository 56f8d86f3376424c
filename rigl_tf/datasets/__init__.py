"""Data sets, each a function that returns a `Dataset`."""

from rigl_tf.datasets.dataset import Dataset as Dataset
from rigl_tf.datasets.dataset import from_arrays as from_arrays
from rigl_tf.datasets.digits import digits as digits
