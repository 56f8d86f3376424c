"""Connections, and groups of them that move as one."""

import dataclasses

import numpy as np
import tensorflow as tf

from rigl_tf.sparsity.structures.base import Granularity
from rigl_tf.utils.validation import check_count


@dataclasses.dataclass(frozen=True)
class Connections(Granularity):
    """Every connection by itself."""

    single = True

    def shape(self, layout):
        return layout.kernel_shape

    def pool(self, values, layout):
        del layout
        return values

    def spread(self, units, layout):
        del layout
        return units


@dataclasses.dataclass(frozen=True)
class Windows(Granularity):
    """All taps from one input channel to one output channel: k x k kernels.

    In a layer without a window, such as Dense, every connection by itself.

    Reference:
        [Sundar & Dwaraknath, 2021](https://arxiv.org/abs/2103.15767),
        section 5.6, where scores are pooled with their signs.
    """

    def shape(self, layout):
        return (layout.inputs, layout.outputs)

    def pool(self, values, layout):
        return tf.reduce_mean(layout.stack(values), axis=0)

    def spread(self, units, layout):
        return layout.unstack(tf.repeat(units[None], layout.taps, axis=0))


@dataclasses.dataclass(frozen=True)
class Outputs(Granularity):
    """Whole output channels or neurons, with all their inputs.

    The last layer's outputs are the model's: exclude it. The gradient of a
    ReLU neuron without inputs is zero, so that RigL grows only outputs that it
    has just dropped; SET grows any.
    """

    def shape(self, layout):
        return (layout.outputs,)

    def pool(self, values, layout):
        return tf.reduce_mean(layout.stack(values), axis=(0, 1))

    def spread(self, units, layout):
        stack = (layout.taps, layout.inputs, layout.outputs)
        return layout.unstack(tf.broadcast_to(units, stack))


@dataclasses.dataclass(frozen=True)
class Blocks(Granularity):
    """Rectangles of the kernel as a matrix, inputs (with taps) by outputs.

    Those at the lower and right edges are smaller where the matrix is not
    divisible.

    Args:
        rows: Integer >= 1, inputs in a block.
        columns: Integer >= 1, outputs in a block.
    """

    rows: int = 32
    columns: int = 32

    def __post_init__(self):
        check_count("rows", self.rows)
        check_count("columns", self.columns)

    def shape(self, layout):
        return (
            -(-layout.taps * layout.inputs // self.rows),
            -(-layout.outputs // self.columns),
        )

    def sizes(self, layout):
        down, across = self.shape(layout)
        height = layout.taps * layout.inputs - self.rows * np.arange(down)
        width = layout.outputs - self.columns * np.arange(across)
        return np.outer(
            np.minimum(height, self.rows), np.minimum(width, self.columns)
        )

    def pool(self, values, layout):
        matrix = layout.matrix(values)
        sums = self._block_sums(matrix, layout)
        return sums / tf.cast(self.sizes(layout), sums.dtype)

    def spread(self, units, layout):
        matrix = tf.repeat(
            tf.repeat(units, self.rows, axis=0), self.columns, axis=1
        )[: layout.taps * layout.inputs, : layout.outputs]
        return layout.unstack(matrix)

    def _block_sums(self, matrix, layout):
        down, across = self.shape(layout)
        padded = tf.pad(
            matrix,
            [
                [0, down * self.rows - layout.taps * layout.inputs],
                [0, across * self.columns - layout.outputs],
            ],
        )
        return tf.reduce_sum(
            tf.reshape(padded, (down, self.rows, across, self.columns)),
            axis=(1, 3),
        )
