"""What convolutional networks are made of."""

import dataclasses
from collections.abc import Callable

from keras import layers

from rigl_tf.models.initializers import initializer


@dataclasses.dataclass(frozen=True)
class Parts:
    """Makes the layers of a network, all in one manner.

    Attributes:
        initializer: How kernels begin; see `rigl_tf.models.initializers`.
        head_initializer: The same for the logits, or `None` for the same.
        affine: Whether BN has a learnt scale and offset.
        bias: Whether fully connected layers have a bias.
    """

    initializer: str | Callable
    head_initializer: str | Callable | None = None
    affine: bool = True
    bias: bool = True

    def conv(self, x, channels, size, name, stride=1, bias=False):
        """A convolution, padded by the same on each side also if strided.

        Keras's own `padding="same"` would pad strided ones on the right and
        below only.
        """
        return layers.Conv2D(
            channels,
            size,
            strides=stride,
            padding="same" if stride == 1 else "valid",
            use_bias=bias,
            kernel_initializer=initializer(self.initializer),
            name=name,
        )(_padded(x, size, stride, name))

    def depthwise(self, x, size, name, stride=1):
        """A depthwise convolution, padded likewise."""
        return layers.DepthwiseConv2D(
            size,
            strides=stride,
            padding="same" if stride == 1 else "valid",
            use_bias=False,
            depthwise_initializer=initializer(self.initializer, True),
            name=name,
        )(_padded(x, size, stride, name))

    def norm(self, x, name, gamma="ones"):
        """BN with the constants of PyTorch, which the papers' code has."""
        return layers.BatchNormalization(
            momentum=0.9,
            epsilon=1e-5,
            center=self.affine,
            scale=self.affine,
            gamma_initializer=gamma,
            name=name,
        )(x)

    def norm_relu(self, x, norm_name, relu_name, most=None):
        """BN and ReLU, which cuts at `most`."""
        return layers.ReLU(most, name=relu_name)(self.norm(x, norm_name))

    def dense(self, x, units, name, kind=None, activation=None):
        """A fully connected layer."""
        return layers.Dense(
            units,
            activation=activation,
            use_bias=self.bias,
            kernel_initializer=initializer(kind or self.initializer),
            name=name,
        )(x)

    def logits(self, x, num_classes):
        """The mean over the picture, if it is one, and the last layer."""
        if len(x.shape) == 4:
            x = layers.GlobalAveragePooling2D(name="pool")(x)
        return self.dense(x, num_classes, "logits", self.head_initializer)


def _padded(x, size, stride, name):
    if stride == 1 or size == 1:
        return x
    return layers.ZeroPadding2D(size // 2, name=f"{name}_pad")(x)
