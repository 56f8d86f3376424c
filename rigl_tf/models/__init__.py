"""Architectures; each function returns a plain Keras model."""

from rigl_tf.models._gru import gru as gru
from rigl_tf.models._lenet5 import lenet5 as lenet5
from rigl_tf.models._mlp import mlp as mlp
from rigl_tf.models._mobilenet_v1 import mobilenet_v1 as mobilenet_v1
from rigl_tf.models._mobilenet_v2 import mobilenet_v2 as mobilenet_v2
from rigl_tf.models._pretrained import pretrained as pretrained
from rigl_tf.models._resnet import resnet as resnet
from rigl_tf.models._small_dense import small_dense as small_dense
from rigl_tf.models._vgg16 import vgg16 as vgg16
from rigl_tf.models._wide_resnet import wide_resnet as wide_resnet
from rigl_tf.models.imagenet_resnet import resnet18 as resnet18
from rigl_tf.models.imagenet_resnet import resnet50 as resnet50
from rigl_tf.models.weight_decay import with_weight_decay as with_weight_decay
