"""Layers shared by convolutional networks."""

import dataclasses
from collections.abc import Callable

from keras import layers

from rigl_tf.models.initializers import make_initializer


@dataclasses.dataclass(frozen=True)
class LayerFactory:
    """Creates the layers of a network with common settings.

    Attributes:
        initializer: Initializer of kernels: a key of
            `rigl_tf.models.initializers.INITIALIZERS`, or a function that
            returns a `keras.initializers.Initializer`.
        head_initializer: Initializer of the kernel of the logits, or `None` for
            `initializer`.
        affine: Boolean, whether BN has a learnt scale and offset.
        bias: Boolean, whether fully connected layers have a bias.
    """

    initializer: str | Callable
    head_initializer: str | Callable | None = None
    affine: bool = True
    bias: bool = True

    def conv(self, x, channels, size, name, stride=1, bias=False):
        """Applies a convolution with symmetric padding, also if strided.

        Keras's `padding="same"` would pad strided convolutions only on the
        right and below.
        """
        return layers.Conv2D(
            channels,
            size,
            strides=stride,
            padding="same" if stride == 1 else "valid",
            use_bias=bias,
            kernel_initializer=make_initializer(self.initializer),
            name=name,
        )(_pad(x, size, stride, name))

    def depthwise(self, x, size, name, stride=1):
        """Applies a depthwise convolution with symmetric padding."""
        return layers.DepthwiseConv2D(
            size,
            strides=stride,
            padding="same" if stride == 1 else "valid",
            use_bias=False,
            depthwise_initializer=make_initializer(self.initializer, True),
            name=name,
        )(_pad(x, size, stride, name))

    def norm(self, x, name, gamma="ones"):
        """Applies BN with PyTorch's constants, as in the code of the papers."""
        return layers.BatchNormalization(
            momentum=0.9,
            epsilon=1e-5,
            center=self.affine,
            scale=self.affine,
            gamma_initializer=gamma,
            name=name,
        )(x)

    def norm_relu(self, x, norm_name, relu_name, max_value=None):
        """Applies BN and a ReLU with a maximum of `max_value`."""
        return layers.ReLU(max_value, name=relu_name)(self.norm(x, norm_name))

    def dense(self, x, units, name, initializer=None, activation=None):
        """Applies a fully connected layer."""
        return layers.Dense(
            units,
            activation=activation,
            use_bias=self.bias,
            kernel_initializer=make_initializer(
                initializer or self.initializer
            ),
            name=name,
        )(x)

    def logits(self, x, num_classes):
        """Applies the last layer, after the mean over an image."""
        if len(x.shape) == 4:
            x = layers.GlobalAveragePooling2D(name="pool")(x)
        return self.dense(x, num_classes, "logits", self.head_initializer)


def _pad(x, size, stride, name):
    if stride == 1 or size == 1:
        return x
    return layers.ZeroPadding2D(size // 2, name=f"{name}_pad")(x)
