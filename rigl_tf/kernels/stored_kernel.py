"""The base class of kernels that store only their active units."""

import dataclasses
from typing import Any

import keras
import tensorflow as tf

from rigl_tf.kernels import index_sets
from rigl_tf.kernels.base import SparseKernel
from rigl_tf.typing import TensorLike


@dataclasses.dataclass(frozen=True, eq=False)
class StoredKernel(SparseKernel):
    """A kernel whose `variable` has an entry for each unit that is stored.

    Units are connections, or blocks. `mask` is computed on each access.

    Attributes:
        active: int32 `keras.Variable`, the sorted indices of the stored units,
            padded with `index_sets.NONE`.
    """

    active: keras.Variable

    @property
    def kernel_shape(self):
        return self.layer.kernel.shape

    @property
    def source(self):
        return self.layer.kernel

    @property
    def capacity(self):
        """Integer, the maximum number of stored units."""
        return self.variable.shape[0]

    def masked(self, values: TensorLike) -> Any:
        return values

    def impose(self):
        """Does nothing, because inactive weights are not stored."""

    def _check_room(self, wanted):
        if wanted > self.capacity:
            raise ValueError(
                f"Kernel {self.name!r} has space for {self.capacity} active "
                f"units. Received: a mask with {wanted}. Make the model with a "
                "lower sparsity, or with `storage='dense'`."
            )

    def _take(self, now, new_weights=None, slots=(), origins=None):
        """Replaces the stored units; units that stay keep their values.

        Args:
            now: int32 tensor, the new value of `active`.
            new_weights: Tensor of the shape of `variable`, the weights that
                new units start with, or `None` for zeros.
            slots: List of pairs, as in `UpdateInputs`.
            origins: `index_sets.origins` of `now` in `active`, if known.

        Returns:
            Boolean tensor, `True` for new units.
        """
        if origins is None:
            old = tf.convert_to_tensor(self.active)
            origins = index_sets.origins(old, now)
        is_new = (origins < 0) & tf.not_equal(now, index_sets.NONE)
        variables = [(self.variable, 0.0), *slots]
        carried = [
            index_sets.carried(tf.convert_to_tensor(variable), origins, initial)
            for variable, initial in variables
        ]
        if new_weights is not None:
            new = index_sets.broadcastable(is_new, carried[0])
            new_weights = tf.cast(new_weights, carried[0].dtype)
            carried[0] = tf.where(new, new_weights, carried[0])
        # All is read before anything is written.
        with tf.control_dependencies([is_new, *carried]):
            done = [self.active.assign(now)]
            for (variable, _), values in zip(variables, carried, strict=True):
                done.append(variable.assign(values))
        with tf.control_dependencies([d for d in done if d is not None]):
            return tf.identity(is_new)

    def _gradient_at(self, active, flows):
        """Returns the gradient of units, in the shape of `variable`."""
        nothing = tf.zeros(self.variable.shape)
        return tf.add_n(
            [
                self.layer.product.backward(
                    flow.inputs, nothing, active, flow.outputs
                )[1]
                for flow in flows
            ]
        )
