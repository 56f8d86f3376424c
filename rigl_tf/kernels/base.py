"""The base class of sparse kernels, however they are stored."""

import abc
import dataclasses
import math
from collections.abc import Callable
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers as kl

from rigl_tf._keras_compat import NOT_INLINED
from rigl_tf.algorithms import CandidateTile
from rigl_tf.algorithms import KernelView
from rigl_tf.kernels.activation_tape import Flow
from rigl_tf.sparsity import kernel_layout
from rigl_tf.sparsity import random_bits
from rigl_tf.sparsity import structures
from rigl_tf.typing import GrowScores
from rigl_tf.typing import Integer
from rigl_tf.typing import Seed
from rigl_tf.typing import Shape
from rigl_tf.typing import TensorLike


@dataclasses.dataclass(frozen=True, eq=False)
class SparseKernel(abc.ABC):
    """One kernel with a mask, in any storage.

    Attributes:
        name: String, unique in its model: the path of the layer, followed by
            the name of the kernel if the layer has several kernels.
        layer: The `keras.layers.Layer` that computes with the kernel.
        variable: `keras.Variable`, the weights that the optimizer changes.
        mask: Boolean variable or tensor, of kernel shape.
    """

    name: str
    layer: kl.Layer
    variable: keras.Variable

    if TYPE_CHECKING:  # a variable in some classes, computed in others

        @property
        def mask(self) -> Any: ...

    beats_xla = False  # whether a step is faster if XLA does not compile it

    @property
    @abc.abstractmethod
    def kernel_shape(self) -> Shape:
        """Tuple of integers, the shape of the dense kernel."""

    @property
    @abc.abstractmethod
    def source(self) -> Any:
        """The object that the layer exposes as `kernel`."""

    @abc.abstractmethod
    def count(self) -> tf.Tensor:
        """Returns the number of active connections, an int64 scalar."""

    @abc.abstractmethod
    def bits(self) -> np.ndarray:
        """Returns the mask as a uint8 array, eight connections in a byte."""

    @abc.abstractmethod
    def masked(self, values: TensorLike) -> tf.Tensor:
        """Returns `values`, in the shape of the variable, with exact zeros."""

    @abc.abstractmethod
    def weights(self) -> tf.Tensor:
        """Returns the dense kernel with its zeros, as a tensor."""

    @abc.abstractmethod
    def set_mask(self, mask: np.ndarray) -> None:
        """Sets the mask, a boolean array that must be checked already."""

    @abc.abstractmethod
    def impose(self) -> None:
        """Sets inactive weights to exact zeros."""

    @abc.abstractmethod
    def view(self, inputs: "UpdateInputs") -> KernelView:
        """Returns the view of the kernel for an algorithm.

        Args:
            inputs: `UpdateInputs`.

        Returns:
            `KernelView`, of the units of the structure.
        """

    @abc.abstractmethod
    def grow(
        self,
        view: KernelView,
        scores: Callable[[CandidateTile], GrowScores],
        num_grow: Integer,
        inputs: "UpdateInputs",
    ) -> tf.Tensor:
        """Sets the mask after the drop, and adds connections to it.

        Args:
            view: `KernelView` with the mask after the drop.
            scores: Function from a `CandidateTile` to scores, or to a list of
                functions that return scores: the algorithm's `grow`.
            num_grow: int64 scalar.
            inputs: `UpdateInputs`.

        Returns:
            int64 scalar, connections that were inactive before the update and
            are active now.
        """

    @property
    def view_dtype(self) -> str:
        """The dtype of floats in views: float64 stays, all else is float32."""
        return "float64" if self.variable.dtype == "float64" else "float32"

    def new_weights(
        self,
        inputs: "UpdateInputs",
        shape: Shape,
        gradient: Callable[[], TensorLike | None],
    ) -> tf.Tensor | None:
        """Returns the weights that new connections start with.

        Args:
            inputs: `UpdateInputs`.
            shape: Tuple of integers.
            gradient: Function without arguments that returns the gradient in
                this shape.

        Returns:
            Float tensor of this shape, or `None` for zeros.
        """
        return inputs.grow_init(self, shape, gradient, seed=inputs.seed)

    def signs(self, seed: Seed) -> np.ndarray:
        """Returns the signs of the weights, random where a weight is zero.

        Args:
            seed: Pair of integers.

        Returns:
            int8 array of -1 and 1, of the shape of the variable.
        """
        bits = random_bits.draw(
            self.variable.shape, tf.constant(seed, tf.int64)
        )
        sign = np.sign(self.variable).astype("int8")
        by_chance = np.where(bits < 0, -1, 1)
        return np.where(sign == 0, by_chance, sign).astype("int8")

    def count_units(self, structure: structures.Structure) -> int:
        """Returns the active units of a structure, an integer."""
        return int(self.num_units(structure))

    def num_units(self, structure: structures.Structure) -> tf.Tensor:
        """Returns the active units of a structure, an int64 scalar."""
        if structure.is_unstructured:
            return self.count()
        mask = tf.cast(self.mask, tf.float32)
        pooled = structure.pool(mask, self.layout)
        return tf.math.count_nonzero(pooled)

    @property
    def layout(self) -> kernel_layout.Layout:
        """`Layout`, the meaning of the kernel's dimensions."""
        return kernel_layout.layout_for(self.layer, self.kernel_shape)

    @property
    def shape(self) -> Shape:
        """Tuple of integers, the shape that distributions of sparsity see.

        It is `kernel_shape`, or (in, out) for an `EinsumDense`.
        """
        if isinstance(self.layer, kl.EinsumDense):
            return (self.layout.inputs, self.layout.outputs)
        return self.kernel_shape

    @property
    def size(self) -> int:
        """Integer, connections of the dense kernel."""
        return math.prod(self.kernel_shape)


@dataclasses.dataclass(frozen=True)
class UpdateInputs:
    """The inputs of an update of one kernel, except its weights.

    Attributes:
        gradient: Tensor of the shape of the kernel's variable, or `None`.
        momentum: Running gradient of the same shape, or `None`.
        sign: Fixed signs of the same shape, or `None`.
        flows: List of `Flow`, the calls of the layer, to compute the gradient
            of inactive connections.
        structure: `Structure`, whose units move.
        seed: Integer tensor of shape (2,), unique to the kernel and the step.
        progress: Float scalar in [0, 1], the passed fraction of the update
            schedule, or `None`.
        grow_init: `GrowInit`, the weights of new connections.
        slots: List of pairs, of an optimizer's variable of the shape of the
            kernel's variable and the float that its elements start with.
        traced: Dictionary that all kernels of an update share, for
            `traced_once`.
    """

    gradient: TensorLike | None = None
    momentum: TensorLike | None = None
    sign: TensorLike | None = None
    flows: Sequence[Flow] = ()
    structure: structures.Structure = structures.Unstructured()
    seed: Seed = 0
    progress: Any = None
    grow_init: Any = None
    slots: Sequence[tuple[keras.Variable, float]] = ()
    traced: dict[Any, Callable] = dataclasses.field(default_factory=dict)

    def traced_once(self, key: Any, function: Callable) -> Callable:
        """Returns a function that is traced once for all kernels of a key.

        Args:
            key: All that differs between kernels, except tensors.
            function: Function of tensors only.
        """
        if tf.executing_eagerly():
            return function
        if key not in self.traced:
            self.traced[key] = tf.function(
                function,
                autograph=False,
                reduce_retracing=True,  # there may be a connection more or less
                experimental_attributes=NOT_INLINED,
            )
        return self.traced[key]


def checked_mask(mask: Any, shape: Shape, name: str) -> np.ndarray:
    """Returns a mask as a boolean array, of the right shape and not empty."""
    mask = np.asarray(mask)
    problem = None
    if mask.dtype != np.bool_:
        problem = f"be boolean. Received: dtype={mask.dtype}"
    elif mask.shape != tuple(shape):
        problem = f"have shape {tuple(shape)}. Received: shape={mask.shape}"
    elif not mask.any():
        problem = (
            "have at least one connection. Received: a mask that is `False` "
            "everywhere"
        )
    if problem:
        raise ValueError(f"A mask of layer {name!r} must {problem}.")
    return mask
