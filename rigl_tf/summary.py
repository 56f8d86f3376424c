"""What the masks of a model look like."""

import dataclasses
import warnings

import tensorflow as tf

from rigl_tf import flops
from rigl_tf import tables
from rigl_tf.modeling import sparse_wrapper
from rigl_tf.storage import DenseKernel


@dataclasses.dataclass(frozen=True)
class KernelSummary(flops.Counted):
    """What a mask leaves of one kernel.

    Attributes:
        name: String, the path of the layer and of the kernel in it.
        shape: Tuple of integers, the kernel's shape.
        active: Integer, its active connections.
        flops: Integer, of one example's forward pass, or `None` where the
            model does not know its input shape.
        taps: Integer, positions of a convolution's window; 1 for others.
        inputs: Integer, its inputs: channels or neurons.
        empty_inputs: Integer, those from which no connection is active.
        outputs: Integer, its outputs: channels or neurons.
        empty_outputs: Integer, those to which no connection is active.
    """

    name: str
    shape: tuple
    active: int
    flops: int | None
    taps: int
    inputs: int
    empty_inputs: int
    outputs: int
    empty_outputs: int

    @property
    def remaining(self):
        """Integer, its size without empty inputs and outputs.

        Params* of [Parger et al., 2022](https://arxiv.org/abs/2210.14012),
        table 4: each kernel by itself, nothing propagated.
        """
        return (
            self.taps
            * (self.inputs - self.empty_inputs)
            * (self.outputs - self.empty_outputs)
        )


@dataclasses.dataclass(frozen=True)
class Summary:
    """The masked kernels of a model, and their totals; prints as a table.

    Attributes:
        kernels: Tuple of `KernelSummary`.
    """

    kernels: tuple

    def total(self, what):
        """The sum over all kernels of one of their numbers, by its name."""
        return sum(getattr(kernel, what) for kernel in self.kernels)

    @property
    def sparsity(self):
        """Float in [0, 1), the fraction of zeros in all masked kernels."""
        return 1 - self.total("active") / self.total("size")

    def __str__(self):
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
        return tables.markdown(rows)

    __repr__ = __str__


def summary(model):
    """Looks at the masks of a model.

    Args:
        model: A built `SparseModel`, or a `keras.Model` with `Sparse` layers.

    Returns:
        `Summary`. Print it for a table with a row for each masked kernel:
        shape, sparsity, active connections, FLOPs of one example's forward
        pass in the convention `"macs2"`, and empty neurons and inputs.

    Raises:
        ValueError: If no kernel of the model is masked.
    """
    kernels = sparse_wrapper.sparse_kernels(model)
    if not kernels:
        raise ValueError(
            f"{model.name!r} has no masks to look at. Make it sparse with "
            "`rigl_tf.sparsify`."
        )
    _warn_of_lost_zeros(kernels)
    try:
        costs = {k.name: k.flops() for k in flops.inference(model).kernels}
    except ValueError:  # the input shape is not known
        costs = {}
    return Summary(tuple(_look(k, costs.get(k.name)) for k in kernels))


def _warn_of_lost_zeros(kernels):
    names = [
        kernel.name
        for kernel in kernels
        if isinstance(kernel, DenseKernel)
        and tf.reduce_any((kernel.variable != 0) & ~kernel.mask.value)
    ]
    if names:
        warnings.warn(
            f"Weights were set from outside in {', '.join(names)}, also where "
            "masks are `False`. They become zero when `rigl_tf` next trains "
            "or densifies the model; until then it computes with them.",
            stacklevel=3,
        )


def _look(kernel, cost):
    layout = kernel.layout
    used = layout.stack(kernel.mask)
    inputs = tf.math.count_nonzero(tf.reduce_any(used, axis=(0, 2)))
    outputs = tf.math.count_nonzero(tf.reduce_any(used, axis=(0, 1)))
    return KernelSummary(
        name=kernel.name,
        shape=kernel.kernel_shape,
        active=int(tf.math.count_nonzero(used)),
        flops=cost,
        taps=layout.taps,
        inputs=layout.inputs,
        empty_inputs=layout.inputs - int(inputs),
        outputs=layout.outputs,
        empty_outputs=layout.outputs - int(outputs),
    )
