"""Distributions by the dimensions of kernels."""

import math
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence

from rigl_tf.sparsity.distributions.layer_arguments import fixed_sparsities
from rigl_tf.sparsity.distributions.layer_arguments import free_layers
from rigl_tf.typing import Names
from rigl_tf.typing import Shape
from rigl_tf.utils.validation import check_number


def erdos_renyi(
    shapes: Sequence[Shape],
    sparsity: float,
    *,
    names: Sequence[str] | None = None,
    dense: Names = (),
    custom: Mapping[str, float] | None = None,
    first: Names | Callable[[Sequence[str]], Names] | None = None,
) -> list[float]:
    """Makes a layer's density proportional to (in + out) / (in x out).

    Only the last two dimensions of a kernel are used. See `erdos_renyi_kernel`
    for the arguments.

    Example:

    >>> sparsities = erdos_renyi([(80, 4), (20, 20)], 0.8)
    >>> [round(sparsity, 3) for sparsity in sparsities]
    [0.695, 0.884]

    Reference:
        [Mocanu et al., 2018](https://arxiv.org/abs/1707.04780).
    """
    del first
    for shape in shapes:
        if len(shape) < 2:
            raise ValueError(
                "`erdos_renyi` needs kernels of two dimensions or more. "
                f"Received: a kernel of shape {tuple(shape)}. Exclude it, or "
                "use `uniform`."
            )
    raw = [sum(shape[-2:]) / math.prod(shape[-2:]) for shape in shapes]
    return _proportional_sparsities(raw, shapes, sparsity, names, dense, custom)


def erdos_renyi_kernel(
    shapes: Sequence[Shape],
    sparsity: float,
    *,
    names: Sequence[str] | None = None,
    dense: Names = (),
    custom: Mapping[str, float] | None = None,
    power: float = 1.0,
    first: Names | Callable[[Sequence[str]], Names] | None = None,
) -> list[float]:
    """Makes a layer's density proportional to its dimensions' sum / product.

    If a density would exceed 1, the layers with the largest ratio become dense
    and the other layers share the rest of the budget, until no density exceeds
    1.

    Args:
        shapes: List of tuples, the kernel shapes.
        sparsity: Float in [0, 1), the fraction of zeros over all layers that
            are neither `dense` nor `custom`. Dense and custom layers do not
            count in the budget, as in the original code.
        names: List of strings, the layers' names. Defaults to `layer_0`,
            `layer_1` and so on.
        dense: Names, or patterns with `*`, of layers to keep dense.
        custom: Dictionary from name, or pattern, to sparsity in [0, 1).
        power: Number, exponent of the ratio. 0 gives a uniform distribution.
        first: No effect, because the first layer is treated like all other
            layers. Use `dense` to keep a layer dense.

    Returns:
        List of floats, a sparsity per layer.

    Raises:
        ValueError: If an argument is out of range, a name matches no layer,
            or every layer is dense or custom.

    Example:

    >>> sparsities = erdos_renyi_kernel([(784, 300), (300, 100)], 0.9)
    >>> [round(sparsity, 3) for sparsity in sparsities]
    [0.918, 0.762]

    Reference:
        [Evci et al., 2020](https://arxiv.org/abs/1911.11134), section 3 (1).
    """
    del first
    check_number("power", power)
    raw = [(sum(shape) / math.prod(shape)) ** power for shape in shapes]
    return _proportional_sparsities(raw, shapes, sparsity, names, dense, custom)


def _proportional_sparsities(
    raw: Sequence[float],
    shapes: Sequence[Shape],
    sparsity: float,
    names: Sequence[str] | None,
    dense: Names,
    custom: Mapping[str, float] | None,
) -> list[float]:
    """Returns sparsities for densities eps x raw, at most 1, in the budget."""
    fixed, names = fixed_sparsities(shapes, sparsity, names, dense, custom)
    sizes = [math.prod(shape) for shape in shapes]
    free = free_layers(names, fixed, dense, custom)
    full = set()
    while True:
        open_layers = [i for i in free if i not in full]
        if not open_layers:
            eps = 0.0
            break
        # Active connections, without the dense layers. The number of zeros is
        # rounded down, as in the original code.
        left = sum(
            sizes[i] * (i not in full) - math.floor(sparsity * sizes[i])
            for i in free
        )
        eps = left / sum(raw[i] * sizes[i] for i in open_layers)
        largest = max(raw[i] for i in open_layers)
        if eps * largest <= 1.0:
            break
        full.update(i for i in open_layers if raw[i] == largest)
    return [
        fixed[name]
        if name in fixed
        else 0.0
        if i in full
        else 1.0 - eps * raw[i]
        for i, name in enumerate(names)
    ]
