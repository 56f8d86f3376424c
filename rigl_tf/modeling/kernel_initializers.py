"""How a layer makes a kernel."""

from typing import Any


def initializer_of(kernel: Any) -> Any:
    """Returns what a layer makes its kernel with, or `None` if unknown."""
    name = kernel.variable.name.removesuffix("_kernel")
    return getattr(
        kernel.layer,
        f"{name}_initializer",
        getattr(kernel.layer, "depthwise_initializer", None),
    )
