"""Summary of the masks of a model."""

import dataclasses
import warnings

import keras
import tensorflow as tf

from rigl_tf.analysis import flops
from rigl_tf.kernels import DenseKernel
from rigl_tf.modeling import sparse_wrapper
from rigl_tf.utils import text_tables


@dataclasses.dataclass(frozen=True)
class KernelSummary(flops.ConnectionCounts):
    """Summary of one masked kernel.

    Attributes:
        name: String, the path of the layer and the name of the kernel.
        shape: Tuple of integers, the shape of the kernel.
        active: Integer, the active connections of the kernel.
        flops: Integer, the FLOPs of one example's forward pass, or `None` if
            the input shape of the model is unknown.
        kernel_positions: Integer, the spatial positions of a convolution
            kernel, such as 9 for 3 x 3; 1 for other layers.
        inputs: Integer, the input channels or neurons.
        empty_inputs: Integer, the inputs without an active connection.
        outputs: Integer, the output channels or neurons.
        empty_outputs: Integer, the outputs without an active connection.
    """

    name: str
    shape: tuple
    active: int
    flops: int | None
    kernel_positions: int
    inputs: int
    empty_inputs: int
    outputs: int
    empty_outputs: int

    @property
    def remaining(self) -> float:
        """Integer, the size of the kernel without empty inputs and outputs.

        This is Params* of [Parger et al.,
        2022](https://arxiv.org/abs/2210.14012), table 4. Each kernel is
        counted separately: empty outputs do not propagate to other kernels.
        """
        return (
            self.kernel_positions
            * (self.inputs - self.empty_inputs)
            * (self.outputs - self.empty_outputs)
        )


@dataclasses.dataclass(frozen=True)
class Summary:
    """The masked kernels of a model and their totals; prints as a table.

    Attributes:
        kernels: Tuple of `KernelSummary`.
    """

    kernels: tuple

    def total(self, name: str) -> int:
        """Returns the sum of an attribute over all kernels.

        Args:
            name: String, an integer attribute of `KernelSummary`.
        """
        return sum(getattr(kernel, name) for kernel in self.kernels)

    @property
    def sparsity(self) -> float:
        """Float in [0, 1), the fraction of zeros in all masked kernels."""
        return 1 - self.total("active") / self.total("size")

    def __str__(self) -> str:
        head = "kernel shape sparsity active params* FLOPs empty_neurons"
        head += " empty_inputs"
        rows = [[word.replace("_", " ") for word in head.split()]]
        for k in self.kernels:
            rows.append(
                [
                    k.name,
                    " x ".join(map(str, k.shape)),
                    f"{k.sparsity:.4f}",
                    f"{k.active:,}",
                    f"{k.remaining:,}",
                    "?" if k.flops is None else f"{k.flops:,}",
                    f"{k.empty_outputs:,} of {k.outputs:,}",
                    f"{k.empty_inputs:,} of {k.inputs:,}",
                ]
            )
        known = all(k.flops is not None for k in self.kernels)
        rows.append(
            [
                "all",
                f"{self.total('size'):,}",
                f"{self.sparsity:.4f}",
                f"{self.total('active'):,}",
                f"{self.total('remaining'):,}",
                f"{self.total('flops'):,}" if known else "?",
                f"{self.total('empty_outputs'):,} of {self.total('outputs'):,}",
                f"{self.total('empty_inputs'):,} of {self.total('inputs'):,}",
            ]
        )
        return text_tables.markdown(rows)

    __repr__ = __str__


def summary(model: keras.Model) -> Summary:
    """Summarizes the masks of a model.

    Args:
        model: A built `SparseModel`, or a `keras.Model` with `Sparse` layers.

    Returns:
        `Summary`. It prints as a table with a row for each masked kernel:
        shape, sparsity, active connections, FLOPs of one example's forward
        pass in the convention `"macs2"`, and empty neurons and inputs, which
        have no active connection. `params*` is the size of the kernel without
        them.

    Raises:
        ValueError: If no kernel of the model is masked.

    Example:

    >>> sparse = rigl_tf.sparsify(network, "rigl", sparsity=0.5)
    >>> len(rigl_tf.summary(sparse).kernels)
    2
    """
    kernels = sparse_wrapper.sparse_kernels(model)
    if not kernels:
        raise ValueError(
            "`model` must have masked kernels. Received: "
            f"{model.name!r} without masks. Make it sparse with "
            "`rigl_tf.sparsify`."
        )
    _warn_of_weights_under_masks(kernels)
    try:
        costs = {k.name: k.flops() for k in flops.inference(model).kernels}
    except ValueError:  # the input shape is not known
        costs = {}
    return Summary(tuple(_summarize(k, costs.get(k.name)) for k in kernels))


def _warn_of_weights_under_masks(kernels):
    names = [
        kernel.name
        for kernel in kernels
        if isinstance(kernel, DenseKernel)
        and tf.reduce_any((kernel.variable != 0) & ~kernel.mask.value)
    ]
    if names:
        warnings.warn(
            f"Inactive weights of {', '.join(names)} were set to values other "
            "than zero. They become zero when `rigl_tf` next trains or "
            "densifies the model; until then, the model computes with them.",
            stacklevel=3,
        )


def _summarize(kernel, cost):
    layout = kernel.layout
    mask = layout.stack(kernel.mask)
    inputs = tf.math.count_nonzero(tf.reduce_any(mask, axis=(0, 2)))
    outputs = tf.math.count_nonzero(tf.reduce_any(mask, axis=(0, 1)))
    return KernelSummary(
        name=kernel.name,
        shape=kernel.kernel_shape,
        active=int(tf.math.count_nonzero(mask)),
        flops=cost,
        kernel_positions=layout.kernel_positions,
        inputs=layout.inputs,
        empty_inputs=layout.inputs - int(inputs),
        outputs=layout.outputs,
        empty_outputs=layout.outputs - int(outputs),
    )
