"""Data sets, each a function that returns a `Dataset`."""

from rigl_tf.datasets.arrays import from_arrays as from_arrays
from rigl_tf.datasets.caltech101 import caltech101 as caltech101
from rigl_tf.datasets.characters import characters as characters
from rigl_tf.datasets.cifar10 import cifar10 as cifar10
from rigl_tf.datasets.cifar100 import cifar100 as cifar100
from rigl_tf.datasets.dataset import Dataset as Dataset
from rigl_tf.datasets.digits import digits as digits
from rigl_tf.datasets.imagenet2012 import imagenet2012 as imagenet2012
from rigl_tf.datasets.tiny_imagenet import tiny_imagenet as tiny_imagenet
