"""What every way of storing a sparse kernel has in common."""

import abc
import dataclasses
import math

import keras
import numpy as np
from keras import layers as kl

from rigl_tf import layout


@dataclasses.dataclass(frozen=True, eq=False)
class SparseKernel(abc.ABC):
    """One kernel with a mask, however it is stored.

    Attributes:
        name: String, unique in its model: the path of the layer, followed by
            the kernel's own name if the layer has several.
        layer: The `keras.layers.Layer` that computes with the kernel.
        variable: `keras.Variable`, the weights, that optimizers step.
        mask: Boolean variable or tensor, of kernel shape.
    """

    name: str
    layer: kl.Layer
    variable: keras.Variable

    beats_xla = False  # whether a step is faster if XLA does not compile it

    @property
    @abc.abstractmethod
    def kernel_shape(self):
        """Tuple of integers, the shape of the dense kernel."""

    @property
    @abc.abstractmethod
    def source(self):
        """What the layer has where a plain layer has its kernel."""

    @abc.abstractmethod
    def count(self):
        """Active connections, as an int64 scalar."""

    @abc.abstractmethod
    def bits(self):
        """The mask as a uint8 array, eight connections in a byte."""

    @abc.abstractmethod
    def masked(self, values):
        """`values`, in the shape of the variable, of what is active."""

    @abc.abstractmethod
    def weights(self):
        """The dense kernel with its zeros, as a tensor."""

    @abc.abstractmethod
    def set_mask(self, mask):
        """Takes a boolean array of kernel shape, checked before."""

    @abc.abstractmethod
    def impose(self):
        """Puts exact zeros wherever nothing is active."""

    @abc.abstractmethod
    def view(self, granularity, beside, seed):
        """What algorithms see of it.

        Args:
            granularity: Of `rigl_tf.granularity`; the view is of its units.
            beside: `Beside`.
            seed: Integer tensor of shape (2,), unique to kernel and step.

        Returns:
            `LayerView`.
        """

    @abc.abstractmethod
    def grow(self, view, scores, num_grow, granularity, beside, fresh, slots):
        """Takes the mask of a view, after the drop, and what grows.

        Args:
            view: `LayerView` whose mask is what the drop has left.
            scores: Function from a view to the scores of what grows, or to a
                list of functions: the algorithm's `grow`.
            num_grow: int64 scalar.
            granularity: Of `rigl_tf.granularity`.
            beside: `Beside`.
            fresh: Function from a shape and a function without arguments,
                which returns the gradient in this shape, to weights for new
                connections, or to `None` for zeros.
            slots: List of variables of the optimizer's, of the shape of
                `variable`.

        Returns:
            int64 scalar, connections that were inactive before the update and
            are active now.
        """

    @property
    def layout(self):
        """`Layout`, what the dimensions of the kernel mean."""
        return layout.of(self.layer, self.kernel_shape)

    @property
    def shape(self):
        """Tuple of integers, the shape by which sparsity is distributed.

        That of the kernel, or (in, out) for an `EinsumDense`.
        """
        if isinstance(self.layer, kl.EinsumDense):
            return (self.layout.inputs, self.layout.outputs)
        return self.kernel_shape

    @property
    def size(self):
        """Integer, connections of the dense kernel."""
        return math.prod(self.kernel_shape)


@dataclasses.dataclass(frozen=True)
class Beside:
    """What an update knows of a kernel beside its weights.

    Attributes:
        gradient: Tensor of the shape of the kernel's variable, or `None`.
        momentum: The same, a running gradient.
        sign: The same, fixed signs.
        flows: List of `Flow`, what has passed through the layer, from which
            the gradient follows everywhere.
    """

    gradient: object = None
    momentum: object = None
    sign: object = None
    flows: tuple = ()


def checked_mask(mask, shape, name):
    """A boolean array of the right shape with something in it."""
    mask = np.asarray(mask)
    problem = None
    if mask.dtype != np.bool_:
        problem = f"be boolean. Received: dtype={mask.dtype}"
    elif mask.shape != tuple(shape):
        problem = f"have shape {tuple(shape)}. Received: shape={mask.shape}"
    elif not mask.any():
        problem = (
            "keep at least one connection: nothing could ever pass or grow. "
            "Received: a mask that is `False` everywhere"
        )
    if problem:
        raise ValueError(f"A mask of layer {name!r} must {problem}.")
    return mask
