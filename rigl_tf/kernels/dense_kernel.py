"""Kernels stored with their zeros, and with a mask."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from rigl_tf.algorithms import KernelView
from rigl_tf.algorithms import RandomNumbers
from rigl_tf.kernels.base import SparseKernel
from rigl_tf.sparsity import masks
from rigl_tf.utils.tensors import as_array
from rigl_tf.utils.tensors import masked


@dataclasses.dataclass(frozen=True, eq=False)
class DenseKernel(SparseKernel):
    """A kernel that holds exact zeros wherever its mask is `False`."""

    mask: keras.Variable

    @property
    def kernel_shape(self):
        return tuple(self.variable.shape)

    @property
    def source(self):
        return self.variable

    def count(self):
        return masks.count(self.mask)

    def bits(self):
        return np.packbits(as_array(self.mask))

    def masked(self, values):
        return masked(values, self.mask)

    def weights(self):
        return self.masked(self.variable)

    def set_mask(self, mask):
        self.mask.assign(mask)
        self.impose()

    def impose(self):
        is_quantized = getattr(self.layer, "quantization_mode", None)
        if is_quantized or getattr(self.layer, "lora_enabled", False):
            raise ValueError(
                f"The layer of {self.name or self.layer.name!r} was quantized "
                "or got LoRA after `densify`, so it no longer uses the masked "
                "kernel. Train the plain model instead."
            )
        self.variable.assign(self.weights())

    def view(self, inputs):
        structure = inputs.structure

        def pooled(values):
            if values is None:
                return None
            values = tf.cast(tf.convert_to_tensor(values), self.view_dtype)
            if structure.is_unstructured:
                return values
            return structure.pool(tf.abs(values), self.layout)

        mask = tf.convert_to_tensor(self.mask)
        if not structure.is_unstructured:
            # A unit is active throughout or not at all.
            mask = structure.pool(tf.cast(mask, "float32"), self.layout) > 0
        return KernelView(
            weight=pooled(self.variable),
            mask=mask,
            gradient=pooled(inputs.gradient),
            momentum=pooled(inputs.momentum),
            sign=pooled(inputs.sign),
            random_numbers=RandomNumbers(
                structure.shape(self.layout), inputs.seed
            ),
            layout=self.layout if structure.is_unstructured else None,
            progress=inputs.progress,
        )

    def grow(self, view, scores, num_grow, inputs):
        structure = inputs.structure
        before = tf.convert_to_tensor(self.mask)
        units = structure.grow(
            before,
            view.mask,
            scores(view.candidates()),
            num_grow,
            self.layout,
        )
        mask = structure.expand(units, self.layout)
        stayed = tf.logical_and(mask, before)
        num_changed = masks.count(tf.not_equal(mask, stayed))
        if inputs.sign is not None:
            signed = self.variable * tf.cast(inputs.sign, self.variable.dtype)
            stayed = tf.logical_and(stayed, signed >= 0)
        new = tf.not_equal(mask, stayed)
        weight = masked(self.variable, stayed)
        values = self.new_weights(
            inputs, self.kernel_shape, lambda: inputs.gradient
        )
        if values is not None:
            weight += masked(tf.cast(values, weight.dtype), new)
        done = [num_changed, self.mask.assign(mask)]
        done.append(self.variable.assign(weight))
        for variable, initial in inputs.slots:
            with tf.control_dependencies([d for d in done if d is not None]):
                done.append(variable.assign(masked(variable, stayed, initial)))
        with tf.control_dependencies([d for d in done if d is not None]):
            return tf.identity(num_changed)
