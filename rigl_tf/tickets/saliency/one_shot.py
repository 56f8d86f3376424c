"""Tickets from one ranking of all connections."""

import abc
import dataclasses

from rigl_tf.sparsity import distributions
from rigl_tf.tickets.base import Finder
from rigl_tf.tickets.search import mask_selection
from rigl_tf.tickets.ticket import Ticket
from rigl_tf.utils.validation import check_choice

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
        if not any(score.any() for score in scores.values()):
            raise ValueError(
                f"{type(self).__name__} gives all connections the score 0. "
                "Check that no layer has nothing but zeros as weights, and "
                "that gradients are not too small for the dtype."
            )
        if self.scope == "global":
            masks = mask_selection.globally(
                scores, request.count, self.keep_alive, request.seed
            )
        else:
            counts = same_fraction(sparse.kernels, request.density)
            masks = mask_selection.by_layer(scores, counts, request.seed)
        return Ticket(masks, scores=scores)


def same_fraction(kernels, density):
    """Connections to keep of each kernel, the same fraction of all."""
    return distributions.budgets(
        [kernel.shape for kernel in kernels],
        [1 - density] * len(kernels),
        names=[kernel.name for kernel in kernels],
    )
