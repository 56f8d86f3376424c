"""Functions that load data sets; each returns a `Dataset`."""

from rigl_tf.datasets._caltech101 import caltech101 as caltech101
from rigl_tf.datasets._characters import characters as characters
from rigl_tf.datasets._cifar10 import cifar10 as cifar10
from rigl_tf.datasets._cifar100 import cifar100 as cifar100
from rigl_tf.datasets._digits import digits as digits
from rigl_tf.datasets._fashion_mnist import fashion_mnist as fashion_mnist
from rigl_tf.datasets._imagenet2012 import imagenet2012 as imagenet2012
from rigl_tf.datasets._mnist import mnist as mnist
from rigl_tf.datasets._tiny_imagenet import tiny_imagenet as tiny_imagenet
from rigl_tf.datasets.arrays import from_arrays as from_arrays
from rigl_tf.datasets.dataset import Dataset as Dataset
