"""Whole numbers of connections from sparsities."""

import math
from collections.abc import Sequence

from rigl_tf.sparsity.distributions.layer_arguments import check_sparsity
from rigl_tf.sparsity.distributions.layer_arguments import layer_names
from rigl_tf.typing import Shape
from rigl_tf.utils import text_tables


def budgets(
    shapes: Sequence[Shape],
    sparsities: Sequence[float],
    *,
    names: Sequence[str] | None = None,
) -> list[int]:
    """Turns sparsities of layers into numbers of active connections.

    The total is the exact total, rounded to the nearest integer. Every layer
    gets its exact number rounded down; the layers with the largest remainders
    get one more.

    Args:
        shapes: List of tuples, the kernel shapes.
        sparsities: List of floats in [0, 1).
        names: List of strings for error messages.

    Returns:
        List of integers, at least 1 each.

    Raises:
        ValueError: If a layer would have no connection, or if an argument has
            another length or is out of range.

    Example:

    >>> rigl_tf.distributions.budgets([(4, 8), (8, 3)], [0.5, 0.0])
    [16, 24]
    """
    names = layer_names(shapes, names)
    if len(sparsities) != len(shapes):
        raise ValueError(
            "`sparsities` must have one number for each shape. Received: "
            f"{len(sparsities)} sparsities for {len(shapes)} shapes."
        )
    for name, sparsity in zip(names, sparsities, strict=True):
        check_sparsity(sparsity, f"sparsities[{name!r}]")
    sizes = [math.prod(shape) for shape in shapes]
    due = [n * (1.0 - s) for n, s in zip(sizes, sparsities, strict=True)]
    total = round(math.fsum(due))
    # A share that should be 3 and is 2.999... has the largest remainder.
    whole = [math.floor(share) for share in due]
    by_remainder = sorted(
        range(len(due)), key=lambda i: due[i] - whole[i], reverse=True
    )
    for i in by_remainder[: total - sum(whole)]:
        whole[i] += 1
    if min(whole, default=1) < 1:
        raise ValueError(
            "Every layer must have at least one connection. Lower the "
            "sparsity, or set the sparsity of the layers below with "
            "`custom`.\n"
            + text_tables.markdown(
                [("layer", "shape", "sparsity", "active")]
                + [
                    (name, str(tuple(shape)), f"{s:.6f}", str(n))
                    for name, shape, s, n in zip(
                        names, shapes, sparsities, whole, strict=True
                    )
                ]
            )
        )
    return whole
