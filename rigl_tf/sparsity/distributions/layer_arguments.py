"""The arguments of distributions: names of layers, and fixed sparsities."""

import math
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

from rigl_tf.typing import Names
from rigl_tf.typing import Shape
from rigl_tf.utils.patterns import match
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


def check_sparsity(sparsity: Any, name: str = "sparsity") -> None:
    """Raises a ValueError unless `sparsity` is a number in [0, 1)."""
    if not is_number(sparsity) or not 0.0 <= sparsity < 1.0:
        raise ValueError(
            f"`{name}` is the fraction of zeros and must be a number in "
            f"[0, 1). Received: {name}={sparsity!r}."
        )


def fixed_sparsities(
    shapes: Sequence[Shape],
    sparsity: float,
    names: Sequence[str] | None,
    dense: Names,
    custom: Mapping[str, float] | None,
) -> tuple[dict[str, float], list[str]]:
    """Returns the fixed sparsities of dense and custom layers, by name."""
    check_sparsity(sparsity)
    names = layer_names(shapes, names)
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


def free_layers(
    names: Sequence[str],
    fixed: Mapping[str, float],
    dense: Names,
    custom: Mapping[str, float] | None,
) -> list[int]:
    """Returns the indices of the layers that share a sparsity, at least one."""
    free = [i for i, name in enumerate(names) if name not in fixed]
    if not free:
        raise ValueError(
            "At least one layer must be neither dense nor custom. "
            f"Received: dense={dense!r}, custom={custom!r}."
        )
    return free


def check_scores(
    scores: Sequence[np.ndarray] | None, shapes: Sequence[Shape], name: str
) -> Sequence[np.ndarray]:
    """Raises a ValueError unless there is a score for each connection.

    Args:
        scores: List of arrays of finite, non-negative numbers, or `None`.
        shapes: List of tuples, the kernel shapes.
        name: String, the distribution that the error names.
    """
    if scores is None:
        raise ValueError(
            f"`{name}` needs a score for each connection, such as |weight|. "
            "Received: scores=None. Use it in `sparsify` or in a finder of "
            f"`rigl_tf.tickets`, or bind `functools.partial({name}, "
            "scores=...)`."
        )
    if [np.size(each) for each in scores] != list(map(math.prod, shapes)):
        raise ValueError(
            "`scores` must have a number for each connection. Received: "
            f"arrays of shapes {[np.shape(each) for each in scores]} for "
            f"kernels of shapes {list(shapes)}."
        )
    for i, each in enumerate(scores):
        smallest = np.min(each)
        if not (smallest >= 0 and np.isfinite(np.max(each))):
            raise ValueError(
                f"`{name}` needs scores that are finite and not negative. "
                f"Received: scores[{i}] from {smallest} to {np.max(each)}. "
                "Use another distribution."
            )
    return scores


def layer_names(
    shapes: Sequence[Shape], names: Sequence[str] | None
) -> list[str]:
    """Returns checked names, by default `layer_0`, `layer_1` and so on."""
    if names is None:
        return [f"layer_{i}" for i in range(len(shapes))]
    if len(names) != len(shapes) or len(set(names)) != len(names):
        raise ValueError(
            "`names` must be unique, one for each shape. Received: "
            f"names={list(names)!r} for {len(shapes)} shapes."
        )
    return list(names)
