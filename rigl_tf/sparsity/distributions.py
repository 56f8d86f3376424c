"""Functions that distribute a global sparsity over layers.

A distribution takes kernel shapes and one sparsity and returns a sparsity for
each kernel. `budgets` turns these sparsities into whole connections.
"""

import math
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from rigl_tf.typing import Distribution
from rigl_tf.typing import Names
from rigl_tf.typing import Shape
from rigl_tf.utils import text_tables
from rigl_tf.utils.patterns import close_names
from rigl_tf.utils.patterns import match as match
from rigl_tf.utils.validation import check_number
from rigl_tf.utils.validation import is_number

# The last part of the names of kernels in layers with several kernels.
_KERNELS_OF_ONE_LAYER = (
    "kernel",
    "recurrent_kernel",
    "query",
    "key",
    "value",
    "attention_output",
)


def first_layer(names: Sequence[str]) -> list[str]:
    """Returns the names of all kernels in the layer of `names[0]`.

    Recurrent layers and attention have several kernels, with names such as
    `gru/kernel` or `attention/query`. For other layers, the result is only
    `names[0]`.

    Args:
        names: List of strings, the names of kernels in the order of the model.

    Returns:
        List of strings.

    Example:

    >>> first_layer(["gru/kernel", "gru/recurrent_kernel", "logits"])
    ['gru/kernel', 'gru/recurrent_kernel']
    """
    if not names:
        return []
    layer, _, part = names[0].rpartition("/")
    if not layer or part not in _KERNELS_OF_ONE_LAYER:
        return [names[0]]
    owners = {layer}
    parent, _, direction = layer.rpartition("/")
    if direction.startswith("forward_"):  # the names in `Bidirectional`
        owners.add(f"{parent}/backward_{direction.removeprefix('forward_')}")
    parts = (name.rpartition("/") for name in names)
    return [
        name
        for name, (owner, _, part) in zip(names, parts, strict=True)
        if owner in owners and part in _KERNELS_OF_ONE_LAYER
    ]


def uniform(
    shapes: Sequence[Shape],
    sparsity: float,
    *,
    names: Sequence[str] | None = None,
    dense: Names = (),
    custom: Mapping[str, float] | None = None,
    first: Names | Callable[[Sequence[str]], Names] | None = first_layer,
) -> list[float]:
    """Gives every layer but the first the same sparsity.

    The first layer stays dense, as in the RigL papers. If it is large, the
    network has far fewer zeros than `sparsity` suggests: see `uniform_all`.

    Args:
        shapes: List of tuples, the kernel shapes in the order of the model.
        sparsity: Float in [0, 1), the fraction of zeros in each layer that is
            neither dense nor custom.
        names: List of strings, the layers' names. Defaults to `layer_0`,
            `layer_1` and so on.
        dense: Names, or patterns with `*`, of layers to keep dense.
        custom: Dictionary from name, or pattern, to sparsity in [0, 1). It
            applies to the first layer, too.
        first: Name or names of the network's first layer, which stays dense:
            several names if it has several kernels, or if the network has
            several inputs. `None` if the first layer has no kernel among
            `names`, so that every layer gets the same sparsity. Or a function
            from `names` to such names: by default, `first_layer`.

    Returns:
        List of floats, a sparsity per layer.

    Raises:
        ValueError: If an argument is out of range or a name matches no layer.

    Example:

    >>> shapes, names = [(8, 4), (4, 4), (4, 2)], ["a", "b", "c"]
    >>> uniform(shapes, 0.5, names=names)
    [0.0, 0.5, 0.5]
    >>> uniform(shapes, 0.5, names=names, first=["a", "b"])
    [0.0, 0.0, 0.5]
    >>> uniform(shapes, 0.5, names=names, first=None)
    [0.5, 0.5, 0.5]

    Reference:
        [Evci et al., 2020](https://arxiv.org/abs/1911.11134), section 3 (1).
    """
    fixed, names = _fixed_sparsities(shapes, sparsity, names, dense, custom)
    if callable(first):
        first = first(names)
    for matched in match(first or (), names, "first").values():
        for name in matched:
            fixed.setdefault(name, 0.0)
    return [fixed.get(name, float(sparsity)) for name in names]


def uniform_all(
    shapes: Sequence[Shape],
    sparsity: float,
    *,
    names: Sequence[str] | None = None,
    dense: Names = (),
    custom: Mapping[str, float] | None = None,
    first: Names | Callable[[Sequence[str]], Names] | None = None,
) -> list[float]:
    """Gives every layer the same sparsity, the first one too.

    See `uniform` for the arguments. `first` has no effect: use `dense` to keep
    a layer dense.

    Example:

    >>> uniform_all([(8, 4), (4, 2)], 0.5)
    [0.5, 0.5]

    Reference:
        [Parger et al., 2022](https://arxiv.org/abs/2210.14012), section 5.
    """
    del first
    fixed, names = _fixed_sparsities(shapes, sparsity, names, dense, custom)
    return [fixed.get(name, float(sparsity)) for name in names]


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


DISTRIBUTIONS = {
    function.__name__: function
    for function in (uniform, uniform_all, erdos_renyi, erdos_renyi_kernel)
}


ALIASES = {"er": "erdos_renyi", "erk": "erdos_renyi_kernel"}


def get(name: str | Distribution) -> Callable[..., Sequence[float]]:
    """Returns a distribution by name.

    Args:
        name: String, a key of `DISTRIBUTIONS` or `ALIASES` in upper or lower
            case. A function is returned unchanged.

    Raises:
        ValueError: If no distribution has this name.
        TypeError: If `name` is neither a string nor a function.

    Example:

    >>> get("ERK").__name__
    'erdos_renyi_kernel'
    """
    if callable(name):
        return name
    if not isinstance(name, str):
        raise TypeError(
            "`distribution` must be a function or a name, for example "
            "`rigl_tf.distributions.uniform` or 'uniform'. "
            f"Received: distribution={name!r}."
        )
    key = name.lower().replace("-", "_")
    key = ALIASES.get(key, key)
    if key not in DISTRIBUTIONS:
        known = [*DISTRIBUTIONS, *ALIASES]
        close = close_names(key, known)
        hint = f"Did you mean {close[0]!r}? " if close else ""
        raise ValueError(
            f"`distribution` must be one of {', '.join(known)}. {hint}"
            f"Received: distribution={name!r}."
        )
    return DISTRIBUTIONS[key]


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
    names = _names(shapes, names)
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


def check_sparsity(sparsity: Any, name: str = "sparsity") -> None:
    """Raises a ValueError unless `sparsity` is a number in [0, 1)."""
    if not is_number(sparsity) or not 0.0 <= sparsity < 1.0:
        raise ValueError(
            f"`{name}` is the fraction of zeros and must be a number in "
            f"[0, 1). Received: {name}={sparsity!r}."
        )


def _fixed_sparsities(
    shapes: Sequence[Shape],
    sparsity: float,
    names: Sequence[str] | None,
    dense: Names,
    custom: Mapping[str, float] | None,
) -> tuple[dict[str, float], list[str]]:
    """Returns the fixed sparsities of dense and custom layers, by name."""
    check_sparsity(sparsity)
    names = _names(shapes, names)
    custom = {} if custom is None else custom
    if not isinstance(custom, dict):
        raise TypeError(
            "`custom` must be a dictionary from a layer's name to its "
            f"sparsity. Received: custom={custom!r}."
        )
    fixed = {}
    for pattern, matched in match(custom, names, "custom").items():
        check_sparsity(custom[pattern], f"custom[{pattern!r}]")
        fixed.update({name: float(custom[pattern]) for name in matched})
    for matched in match(dense, names, "dense").values():
        fixed.update({name: 0.0 for name in matched})
    return fixed, names


def _proportional_sparsities(
    raw: Sequence[float],
    shapes: Sequence[Shape],
    sparsity: float,
    names: Sequence[str] | None,
    dense: Names,
    custom: Mapping[str, float] | None,
) -> list[float]:
    """Returns sparsities for densities eps x raw, at most 1, in the budget."""
    fixed, names = _fixed_sparsities(shapes, sparsity, names, dense, custom)
    sizes = [math.prod(shape) for shape in shapes]
    free = [i for i, name in enumerate(names) if name not in fixed]
    if not free:
        raise ValueError(
            "At least one layer must be neither dense nor custom. "
            f"Received: dense={dense!r}, custom={custom!r}."
        )
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


def _names(shapes: Sequence[Shape], names: Sequence[str] | None) -> list[str]:
    if names is None:
        return [f"layer_{i}" for i in range(len(shapes))]
    if len(names) != len(shapes) or len(set(names)) != len(names):
        raise ValueError(
            "`names` must be unique, one for each shape. Received: "
            f"names={list(names)!r} for {len(shapes)} shapes."
        )
    return list(names)
