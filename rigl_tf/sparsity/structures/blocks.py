"""Unstructured sparsity, and units of several connections."""

import dataclasses

import numpy as np
import tensorflow as tf

from rigl_tf.sparsity.kernel_layout import Layout
from rigl_tf.sparsity.structures.base import Structure
from rigl_tf.typing import Shape
from rigl_tf.utils.validation import check_count


@dataclasses.dataclass(frozen=True)
class Unstructured(Structure, registered_name="Connections"):
    """Unstructured sparsity: every connection is a unit."""

    is_unstructured = True

    def shape(self, layout: Layout) -> Shape:
        return layout.kernel_shape

    def pool(self, values: tf.Tensor, layout: Layout) -> tf.Tensor:
        del layout
        return values

    def expand(self, units: tf.Tensor, layout: Layout) -> tf.Tensor:
        del layout
        return units


@dataclasses.dataclass(frozen=True)
class Kernels2D(Structure, registered_name="Windows"):
    """Whole k x k kernels, from one input channel to one output channel.

    In layers without spatial positions, such as Dense, every connection is a
    unit.

    Reference:
        [Sundar & Dwaraknath, 2021](https://arxiv.org/abs/2103.15767),
        section 5.6, where scores are pooled with their signs.
    """

    def shape(self, layout: Layout) -> Shape:
        return (layout.inputs, layout.outputs)

    def pool(self, values: tf.Tensor, layout: Layout) -> tf.Tensor:
        return tf.reduce_mean(layout.stack(values), axis=0)

    def expand(self, units: tf.Tensor, layout: Layout) -> tf.Tensor:
        return layout.unstack(
            tf.repeat(units[None], layout.kernel_positions, axis=0)
        )


@dataclasses.dataclass(frozen=True)
class Filters(Structure, registered_name="Outputs"):
    """Whole filters: output channels or neurons with all their inputs.

    Exclude the last layer, whose outputs are the outputs of the model. The
    gradient of a ReLU neuron without inputs is zero. RigL therefore grows only
    filters that it dropped in the same update; SET grows any filter.

    Example:

    >>> sparse = rigl_tf.sparsify(
    ...     network, "set", sparsity=0.5, exclude="classes",
    ...     structure=rigl_tf.structures.Filters())
    """

    def shape(self, layout: Layout) -> Shape:
        return (layout.outputs,)

    def pool(self, values: tf.Tensor, layout: Layout) -> tf.Tensor:
        return tf.reduce_mean(layout.stack(values), axis=(0, 1))

    def expand(self, units: tf.Tensor, layout: Layout) -> tf.Tensor:
        stack = (layout.kernel_positions, layout.inputs, layout.outputs)
        return layout.unstack(tf.broadcast_to(units, stack))


@dataclasses.dataclass(frozen=True)
class Blocks(Structure):
    """Rectangular blocks of the kernel matrix.

    The kernel is a matrix of kernel positions times inputs by outputs. Blocks
    at its lower and right edges are smaller if its size is not divisible.

    Args:
        rows: Integer >= 1, inputs in a block.
        columns: Integer >= 1, outputs in a block.

    Example:

    >>> sparse = rigl_tf.sparsify(
    ...     network, "rigl", sparsity=0.5,
    ...     structure=rigl_tf.structures.Blocks(2, 2))
    """

    rows: int = 32
    columns: int = 32

    def __post_init__(self) -> None:
        check_count("rows", self.rows)
        check_count("columns", self.columns)

    def shape(self, layout: Layout) -> Shape:
        return (
            -(-layout.kernel_positions * layout.inputs // self.rows),
            -(-layout.outputs // self.columns),
        )

    def sizes(self, layout: Layout) -> np.ndarray:
        down, across = self.shape(layout)
        height = (
            layout.kernel_positions * layout.inputs
            - self.rows * np.arange(down)
        )
        width = layout.outputs - self.columns * np.arange(across)
        return np.outer(
            np.minimum(height, self.rows), np.minimum(width, self.columns)
        )

    def pool(self, values: tf.Tensor, layout: Layout) -> tf.Tensor:
        matrix = layout.matrix(values)
        sums = self._block_sums(matrix, layout)
        return sums / tf.cast(self.sizes(layout), sums.dtype)

    def expand(self, units: tf.Tensor, layout: Layout) -> tf.Tensor:
        matrix = tf.repeat(
            tf.repeat(units, self.rows, axis=0), self.columns, axis=1
        )[: layout.kernel_positions * layout.inputs, : layout.outputs]
        return layout.unstack(matrix)

    def _block_sums(self, matrix: tf.Tensor, layout: Layout) -> tf.Tensor:
        down, across = self.shape(layout)
        padded = tf.pad(
            matrix,
            [
                [0, down * self.rows - layout.kernel_positions * layout.inputs],
                [0, across * self.columns - layout.outputs],
            ],
        )
        return tf.reduce_sum(
            tf.reshape(padded, (down, self.rows, across, self.columns)),
            axis=(1, 3),
        )
