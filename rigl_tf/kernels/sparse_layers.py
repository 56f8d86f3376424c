"""Layers that store only their active connections."""

import importlib.util
import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers as kl

from rigl_tf._keras_compat import kernel_replaced
from rigl_tf._keras_compat import made_again
from rigl_tf.kernels import activation_tape
from rigl_tf.kernels import index_sets
from rigl_tf.kernels.block_kernel import BlockKernel
from rigl_tf.kernels.coo_kernel import ActiveKernel
from rigl_tf.kernels.ops import dispatch
from rigl_tf.kernels.ops.convolution import Axis
from rigl_tf.kernels.ops.convolution import Convolution
from rigl_tf.sparsity import kernel_layout
from rigl_tf.sparsity.structures import Blocks
from rigl_tf.sparsity.structures import Kernels2D
from rigl_tf.sparsity.structures import Unstructured
from rigl_tf.typing import LayerMixin
from rigl_tf.typing import Shape
from rigl_tf.utils import tensors


class _Place:
    """Stands where a layer expects its kernel, and says what shape it has."""

    def __init__(self, shape: Shape):
        self.shape = shape
        self.name = "kernel"


class Active(LayerMixin):
    """Makes a Keras layer store its active connections, and only those.

    The kernel is never made, in no step and in no update. Give it before the
    class of the layer: `class ActiveDense(Active, keras.layers.Dense)`.

    Args:
        capacity: Integer, the most units that can be active: connections, or
            blocks.
        unit: The shape of a unit's weights: `()` for connections,
            `(positions,)` for whole k x k kernels, and `(rows, columns)` for
            blocks.
    """

    _output_rank = 1  # dimensions of the kernel that are outputs

    def __init__(self, *args, capacity, unit=(), **kwargs):
        super().__init__(*args, **kwargs)
        self.set_units(capacity, unit)

    def set_units(self, capacity, unit):
        """Sets the arguments of the same names, before weights are added."""
        self.capacity, self.unit = capacity, tuple(unit)
        self.supports_jit = len(unit) == 2

    def add_weight(self, shape: Any = None, *args, name=None, **kwargs) -> Any:
        if name != "kernel":
            return super().add_weight(shape, *args, name=name, **kwargs)
        self._place = _Place(tuple(shape))
        self._matrix = kernel_layout.layout_for(self, self._place.shape)
        self._out = self._place.shape[-self._output_rank :]
        self.product = self._make_product()
        self._values = super().add_weight(
            name="kernel",
            shape=(self.capacity, *self.unit),
            initializer="zeros",
            regularizer=kwargs.get("regularizer"),
            constraint=kwargs.get("constraint"),
            autocast=False,
        )
        self._active = super().add_weight(
            name="active",
            shape=(self.capacity,),
            dtype="int32",
            initializer=lambda shape, dtype: tf.range(shape[0], dtype=dtype),
            trainable=False,
        )
        return self._place

    def _make_product(self):
        rows = self._matrix.kernel_positions * self._matrix.inputs
        return dispatch.product(rows, self._matrix.outputs, self.unit)

    @property
    def kernel(self):
        return self._place

    @property
    def stored_values(self):
        """The variable that has the weights of active connections."""
        return self._values

    def sparse_kernel(self, name=""):
        """The `StoredKernel` of this layer."""
        stored = name, self, self._values, self._active
        if not self.unit:
            return ActiveKernel(*stored)
        return BlockKernel(*stored, self._structure)

    def fill(self, kernel, active):
        """Takes weights and connections from a dense kernel.

        Args:
            kernel: Float array of kernel shape.
            active: Sorted int32 array, the numbers of active units.
        """
        values = tf.reshape(kernel, (-1, self._matrix.outputs))
        if self.unit:
            values = self.product.split(values)
        else:
            values = tf.reshape(values, [-1])
        active = index_sets.padded(tf.constant(active), self.capacity)
        # Zeros for padding, as for what comes from nowhere.
        origins = tf.where(active == index_sets.NONE, -1, active)
        self._values.assign(index_sets.carried(values, origins))
        self._active.assign(active)

    def times_kernel(self, inputs, rank=1):
        """The product with the kernel over the last `rank` dimensions."""
        shape = tf.concat([tf.shape(inputs)[:-rank], self._out], axis=0)
        length = math.prod(inputs.shape[-rank:])
        y = self._multiplied(tf.reshape(inputs, (-1, length)))
        y = tf.reshape(y, shape)
        return tf.ensure_shape(y, inputs.shape[:-rank] + self._out)

    def _multiplied(self, x, convolution=None):
        """The product with the kernel, or the convolution."""
        x = tf.cast(x, tf.float32)
        y = dispatch.multiply(
            self.product,
            x,
            tf.convert_to_tensor(self._values),
            tf.convert_to_tensor(self._active),
        )
        activation_tape.record(self._values, x, y, convolution)
        return tf.cast(y, self.compute_dtype)

    def finished(self, y):
        """With bias and activation."""
        if self.bias is not None:
            y = keras.ops.add(y, self.bias)
        return y if self.activation is None else self.activation(y)

    def get_config(self):
        return {
            **super().get_config(),
            "capacity": self.capacity,
            "unit": self.unit,
        }

    def plain_config(self):
        """The configuration of the Keras layer that this one comes from."""
        return super().get_config()

    @property
    def _structure(self):
        if not self.unit:
            return Unstructured()
        return Blocks(*self.unit) if len(self.unit) == 2 else Kernels2D()

    def save_own_variables(self, store):
        kl.Layer.save_own_variables(self, store)

    def load_own_variables(self, store):
        kl.Layer.load_own_variables(self, store)
        size = math.prod(self._structure.shape(self._matrix))
        _check(self._active.numpy(), size, self.name)


@keras.saving.register_keras_serializable(package="rigl_tf")
class ActiveDense(Active, kl.Dense):
    """A Dense layer that stores only its active connections."""

    def call(self, inputs, training=None):
        del training
        return self.finished(self.times_kernel(inputs))


@keras.saving.register_keras_serializable(package="rigl_tf")
class ActiveEinsumDense(Active, kl.EinsumDense):
    """An EinsumDense layer that stores only its active connections."""

    @property
    def _letters(self) -> Any:
        return kernel_layout.matrices(self.equation)

    @property
    def _output_rank(self):
        return len(self._letters[-1])

    def call(self, inputs, training=None):
        del training
        rank = len(self._letters[1])
        return self.finished(self.times_kernel(inputs, rank))


class _ActiveConvolution(Active):
    def _make_product(self):
        self._convolution = convolution_of(self, self._place.shape)
        return dispatch.convolution(self._convolution, self.unit)

    def call(self, inputs):
        is_first = self.data_format == "channels_first"
        if is_first:
            inputs = keras.ops.moveaxis(inputs, 1, -1)
        outputs = self.finished(self._multiplied(inputs, self._convolution))
        return keras.ops.moveaxis(outputs, -1, 1) if is_first else outputs


def convolution_of(layer, shape):
    """The `Convolution` of a Keras layer with a kernel of a shape."""
    axes = zip(
        layer.kernel_size, layer.strides, layer.dilation_rate, strict=True
    )
    return Convolution(
        tuple(Axis(*axis, layer.padding) for axis in axes),
        inputs=shape[-2] * layer.groups,
        outputs=shape[-1],
        groups=layer.groups,
    )


@keras.saving.register_keras_serializable(package="rigl_tf")
class ActiveConv1D(_ActiveConvolution, kl.Conv1D):
    """A 1D convolution that stores only its active connections."""


@keras.saving.register_keras_serializable(package="rigl_tf")
class ActiveConv2D(_ActiveConvolution, kl.Conv2D):
    """A 2D convolution that stores only its active connections."""


@keras.saving.register_keras_serializable(package="rigl_tf")
class ActiveConv3D(_ActiveConvolution, kl.Conv3D):
    """A 3D convolution that stores only its active connections."""


_KINDS = {
    kl.Dense: ActiveDense,
    kl.EinsumDense: ActiveEinsumDense,
    kl.Conv1D: ActiveConv1D,
    kl.Conv2D: ActiveConv2D,
    kl.Conv3D: ActiveConv3D,
}


def unit_of(structure, layout):
    """Returns the shape of the weights of a unit that is stored.

    Args:
        structure: `Unstructured`, `Blocks` or `Kernels2D`.
        layout: `Layout` of the kernel.
    """
    if isinstance(structure, Blocks):
        return structure.rows, structure.columns
    if structure.is_unstructured or layout.kernel_positions == 1:
        return ()
    return (layout.kernel_positions,)


def store_active(layer, capacity, active, unit=()):
    """Makes a built Keras layer store its active connections only, in place.

    Args:
        layer: Built Keras layer. Its dense kernel is freed.
        capacity: Integer, the most units that can be active.
        active: Sorted int32 array, the numbers of active units.
        unit: `unit_of` the kernel.
    """
    variable = layer.kernel
    kernel = tensors.as_array(variable)
    with kernel_replaced(layer):
        layer.__class__ = _KINDS[type(layer)]
        layer.set_units(capacity, unit)
        layer.add_weight(
            kernel.shape, name="kernel", regularizer=variable.regularizer
        )
    layer.fill(kernel, active)


def dense_copy(layer):
    """Returns a plain copy of an `Active` layer, with a dense kernel.

    Functions, such as the activation, are the same objects.
    """
    kind = next(
        kind for kind, active in _KINDS.items() if type(layer) is active
    )
    copy = made_again(layer, layer.plain_config(), kind)
    copy.build_from_config(layer.get_build_config())
    copy.kernel.assign(layer.sparse_kernel().weights())
    if copy.bias is not None:
        copy.bias.assign(layer.bias)
    copy.trainable = layer.trainable
    return copy


def why_dense(layer, is_alone, structure):
    """Returns why a layer needs its dense kernel, or `None` if it does not.

    Args:
        layer: Keras layer.
        is_alone: Boolean, whether it is not a part of another layer.
        structure: Of `rigl_tf.structures`.
    """
    if not is_alone:
        return "another layer or a subclassed model is made of it"
    return _problem(layer, structure)


def _problem(layer, structure):
    """Why a layer has to keep its dense kernel; `None` if it has not."""
    if type(layer) not in _KINDS:
        return (
            "that is made for Dense, EinsumDense, Conv1D, Conv2D and Conv3D, "
            f"and this is a {type(layer).__name__}"
        )
    if layer.kernel_constraint is not None:
        return "its `kernel_constraint` wants to see the whole kernel"
    elementwise = keras.regularizers.L1 | keras.regularizers.L2
    elementwise |= keras.regularizers.L1L2 | None
    if not isinstance(layer.kernel_regularizer, elementwise):
        return "its `kernel_regularizer` wants to see the whole kernel"
    if isinstance(layer, kl.EinsumDense):
        if kernel_layout.matrices(layer.equation) is None:
            return f"{layer.equation!r} is not a product of two matrices"
        return None
    groups = getattr(layer, "groups", 1)
    if groups > 1 and isinstance(structure, Blocks):
        return f"it has {groups} groups, which blocks do not know"
    if importlib.util.find_spec("numba") is not None:
        return None
    positions = math.prod(getattr(layer, "kernel_size", ()))
    if positions > 1 and isinstance(structure, Kernels2D):
        return "only numba multiplies whole k x k kernels: pip install numba"
    if groups > 1:
        return (
            f"it has {groups} groups, which only numba multiplies: "
            "pip install numba"
        )
    return None


def _check(active, size, name):
    """Raises a ValueError if positions from a file are none."""
    count = np.searchsorted(active, index_sets.NONE)
    real = active[:count]
    if (
        count == 0
        or np.any(active[count:] != index_sets.NONE)
        or np.any(np.diff(real.astype(np.int64)) <= 0)
        or real[0] < 0
        or real[-1] >= size
    ):
        raise ValueError(
            f"The active connections of layer {name!r} must be at least one, "
            f"different, in order and from 0 to {size - 1}. The file is "
            "damaged or of another model."
        )
