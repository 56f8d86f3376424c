"""Functions that distribute a global sparsity over layers.

A distribution takes kernel shapes and one sparsity and returns a sparsity for
each kernel. `budgets` turns these sparsities into whole connections.
"""

from collections.abc import Callable
from collections.abc import Sequence

from rigl_tf.sparsity.distributions.counts import budgets as budgets
from rigl_tf.sparsity.distributions.dimensions import erdos_renyi as erdos_renyi
from rigl_tf.sparsity.distributions.dimensions import (
    erdos_renyi_kernel as erdos_renyi_kernel,
)
from rigl_tf.sparsity.distributions.lamp_scores import lamp as lamp
from rigl_tf.sparsity.distributions.layer_arguments import (
    check_sparsity as check_sparsity,
)
from rigl_tf.sparsity.distributions.layer_arguments import (
    first_layer as first_layer,
)
from rigl_tf.sparsity.distributions.outliers import owl as owl
from rigl_tf.sparsity.distributions.same_sparsity import uniform as uniform
from rigl_tf.sparsity.distributions.same_sparsity import (
    uniform_all as uniform_all,
)
from rigl_tf.typing import Distribution
from rigl_tf.utils.patterns import close_names

DISTRIBUTIONS = {
    function.__name__: function
    for function in (
        uniform,
        uniform_all,
        erdos_renyi,
        erdos_renyi_kernel,
        lamp,
        owl,
    )
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
