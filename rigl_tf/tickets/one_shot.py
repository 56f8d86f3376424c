"""Tickets from one ranking of all connections."""

import abc
import dataclasses

from rigl_tf import distributions
from rigl_tf.tickets import choose
from rigl_tf.tickets.base import Finder
from rigl_tf.tickets.ticket import Ticket

SCOPES = ("global", "layer")


@dataclasses.dataclass(frozen=True, kw_only=True)
class OneShot(Finder):
    """Scores every connection once and keeps the highest.

    Args:
        scope: `"global"` ranks the connections of all layers together;
            `"layer"` keeps the same fraction of each.
    """

    scope: str = "global"

    def __post_init__(self):
        check_choice("scope", self.scope, SCOPES)

    @abc.abstractmethod
    def scores(self, sparse, request):
        """List of arrays of floats, one for each of `sparse.kernels`."""

    def search(self, sparse, request):
        names = [kernel.name for kernel in sparse.kernels]
        scores = dict(zip(names, self.scores(sparse, request), strict=True))
        if self.scope == "global":
            masks = choose.globally(
                scores, request.count, self.keep_alive, request.seed
            )
        else:
            counts = same_fraction(sparse.kernels, request.density)
            masks = choose.by_layer(scores, counts, request.seed)
        return Ticket(masks, scores=scores)


def same_fraction(kernels, density):
    """Connections to keep of each kernel, the same fraction of all."""
    return distributions.budgets(
        [kernel.shape for kernel in kernels],
        [1 - density] * len(kernels),
        names=[kernel.name for kernel in kernels],
    )


def check_choice(name, value, choices):
    """Raises a ValueError if a value is not among those to choose from."""
    if value not in choices:
        raise ValueError(
            f"`{name}` must be one of {', '.join(map(repr, choices))}. "
            f"Received: {name}={value!r}."
        )


def check_count(name, value, least=1):
    """Raises a ValueError unless a value is an integer of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(
            f"`{name}` must be an integer of at least {least}. "
            f"Received: {name}={value!r}."
        )
