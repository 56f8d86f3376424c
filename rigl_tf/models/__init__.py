"""Architectures, each a function that returns a plain Keras model."""

from rigl_tf.models.lenet5 import lenet5 as lenet5
from rigl_tf.models.mlp import mlp as mlp
from rigl_tf.models.pretrained import pretrained as pretrained
from rigl_tf.models.resnet import resnet as resnet
from rigl_tf.models.small_dense import small_dense as small_dense
from rigl_tf.models.wide_resnet import wide_resnet as wide_resnet
