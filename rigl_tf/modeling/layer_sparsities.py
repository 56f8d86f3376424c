"""Distributions with a sparsity for single layers, given in a dictionary."""

import functools
import inspect
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

from rigl_tf.sparsity.distributions import check_sparsity
from rigl_tf.sparsity.distributions import first_layer
from rigl_tf.utils.patterns import OTHERS
from rigl_tf.utils.patterns import first_match


def with_layers(
    distribution: Callable, sparsities: Mapping[str, float]
) -> Callable:
    """Returns a distribution that gives some layers their own sparsity.

    The first key that matches a layer counts, except that `"*"` comes last
    wherever it stands. The distribution shares the value of `"*"` among all
    layers that no other key matches. Without `"*"`, these layers stay dense.

    Args:
        distribution: Function with the keyword argument `custom`, such as all
            functions in `rigl_tf.distributions`.
        sparsities: Dictionary from names of layers, or patterns with `*`, to
            sparsities in [0, 1).

    Returns:
        Function of kernel shapes, a sparsity that has no effect, and the
        keyword arguments `names`, `first` and `scores`, to a list of floats.

    Raises:
        ValueError: If the dictionary is empty, or a value is not a number in
            [0, 1). The function raises it if a key matches no layer, or only
            layers that the keys before it match.
        TypeError: If the distribution does not take `custom`, or takes it from
            `functools.partial` already.

    Example:

    >>> from rigl_tf import distributions
    >>> share = with_layers(distributions.uniform_all, {"a": 0.5, "*": 0.9})
    >>> share([(4, 4), (4, 2)], None, names=["a", "b"])
    [0.5, 0.9]
    """
    sparsities = dict(sparsities)
    _check(sparsities, distribution)

    def share(
        shapes, sparsity, *, names, first: Any = first_layer, scores=None
    ):
        del sparsity
        if callable(first):
            first = first(names)
        custom = _custom(sparsities, names)
        if OTHERS not in sparsities or len(custom) == len(names):
            return [custom.get(name, 0.0) for name in names]
        shared = call_distribution(
            functools.partial(distribution, custom=custom),
            shapes,
            float(sparsities[OTHERS]),
            names,
            first,
            scores,
        )
        for name, got in zip(names, shared, strict=True):
            if abs(got - custom.get(name, got)) > 1e-9:
                raise ValueError(
                    f"`sparsity` asks for {custom[name]} in {name!r}, and "
                    f"`distribution` returns {got}. Leave the layer out of "
                    "one of the two. "
                    f"Received: distribution={distribution!r}."
                )
        return shared

    return share


def largest(sparsities: Mapping[str, float]) -> float:
    """Returns the value of `"*"` if it is not 0, and the largest otherwise.

    A schedule of sparsities rises to this number, and the layers' sparsities
    rise in proportion to it, so that it must not be 0 if one of them is not.
    """
    return float(sparsities.get(OTHERS) or max(sparsities.values()))


def call_distribution(
    distribution: Callable,
    shapes: Sequence[tuple[int, ...]],
    sparsity: float,
    names: Sequence[str],
    first: str | Iterable[str] | None = (),
    scores: Sequence[np.ndarray] | None = None,
) -> list[float]:
    """Calls a distribution with the keyword arguments that it takes.

    A function written by a user needs no keyword argument. A value
    that `functools.partial` has bound stays.

    Args:
        distribution: Function of kernel shapes and a sparsity.
        shapes: List of tuples, the kernel shapes in the order of the model.
        sparsity: Float in [0, 1).
        names: List of strings, the names of the kernels.
        first: Name or names of the network's first layers or of their kernels,
            masked or not. Only those among `names` are passed on: if there
            are none, no layer is the first.
        scores: Sequence of arrays, a score for each connection.

    Returns:
        List of floats, a sparsity per kernel.

    Example:

    >>> from rigl_tf import distributions
    >>> uniform, shapes = distributions.uniform, [(4, 4), (4, 2)]
    >>> call_distribution(uniform, shapes, 0.5, ["a", "b"], first="a")
    [0.0, 0.5]
    >>> call_distribution(uniform, shapes, 0.5, ["b", "c"], first="a")
    [0.5, 0.5]
    >>> def mine(shapes, sparsity):
    ...     return [sparsity for shape in shapes]
    >>> call_distribution(mine, shapes, 0.5, ["a", "b"], first="a")
    [0.5, 0.5]
    """
    layers = {first} if isinstance(first, str) else set(first or ())
    masked_first = [
        name
        for name in names
        if any(
            name == layer or name.startswith(f"{layer}/") for layer in layers
        )
    ]
    keywords = {"names": list(names), "first": masked_first}
    if scores is not None:
        keywords |= {"scores": scores}
    bound = getattr(distribution, "keywords", {})
    taken = {
        keyword: value
        for keyword, value in keywords.items()
        if keyword not in bound and _takes(distribution, keyword)
    }
    return list(distribution(shapes, sparsity, **taken))


def _custom(
    sparsities: Mapping[str, float], names: Sequence[str]
) -> dict[str, float]:
    """Returns the sparsity of each name that a key other than `"*"` matches."""
    keys = first_match(sparsities, names, "sparsity")
    return {
        name: float(sparsities[key])
        for name, key in keys.items()
        if key != OTHERS
    }


def _check(sparsities: Mapping[str, float], distribution: Callable) -> None:
    if not sparsities:
        raise ValueError(
            "`sparsity` must name at least one layer, for example "
            "{'conv*': 0.5, '*': 0.9}. Received: sparsity={}."
        )
    for pattern, value in sparsities.items():
        if callable(value):
            raise ValueError(
                "Only an algorithm that prunes, such as `GradualPruning`, "
                "takes schedules in a dictionary for `sparsity`. Received: "
                f"sparsity[{pattern!r}]={value!r}. Pass numbers."
            )
        check_sparsity(value, f"sparsity[{pattern!r}]")
    if "custom" in getattr(distribution, "keywords", {}):
        raise TypeError(
            "`sparsity` is a dictionary, and `distribution` has `custom` "
            "already. Use one of the two. "
            f"Received: distribution={distribution!r}."
        )
    if not _takes(distribution, "custom"):
        raise TypeError(
            "`sparsity` is a dictionary, which `distribution` receives as "
            "`custom`, a dictionary from name to sparsity. Give your function "
            "this argument, or use a function of `rigl_tf.distributions`. "
            f"Received: distribution={distribution!r}."
        )


def _takes(function: Callable, keyword: str) -> bool:
    """Returns whether a function has a keyword argument."""
    try:
        parameters = inspect.signature(function).parameters
    except ValueError:  # compiled functions may not have a signature
        return False
    return keyword in parameters or any(
        parameter.kind is parameter.VAR_KEYWORD
        for parameter in parameters.values()
    )
