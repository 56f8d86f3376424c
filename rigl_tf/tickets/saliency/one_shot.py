"""Tickets from one ranking of all connections."""

import abc
import dataclasses

import numpy as np

from rigl_tf.modeling.sparse_model import SparseModel
from rigl_tf.sparsity import distributions
from rigl_tf.tickets.base import SearchRequest
from rigl_tf.tickets.base import TicketFinder
from rigl_tf.tickets.search import mask_selection
from rigl_tf.tickets.ticket import Ticket
from rigl_tf.utils.validation import check_choice

SCOPES = ("global", "layer")


@dataclasses.dataclass(frozen=True, kw_only=True)
class OneShot(TicketFinder):
    """Base class of finders that score every connection once.

    The connections with the highest scores are kept.

    Args:
        scope: `"global"` ranks the connections of all layers together;
            `"layer"` keeps the same fraction of each layer.
    """

    scope: str = "global"

    def __post_init__(self):
        check_choice("scope", self.scope, SCOPES)

    @abc.abstractmethod
    def scores(
        self, sparse: SparseModel, request: SearchRequest
    ) -> list[np.ndarray]:
        """Computes the scores.

        Args:
            sparse: `SparseModel` with dense masks.
            request: `SearchRequest`.

        Returns:
            List of arrays of floats, one for each of `sparse.kernels`.
        """

    def search(self, sparse: SparseModel, request: SearchRequest) -> Ticket:
        names = [kernel.name for kernel in sparse.kernels]
        scores = dict(zip(names, self.scores(sparse, request), strict=True))
        if not any(score.any() for score in scores.values()):
            raise ValueError(
                f"{type(self).__name__} needs a score other than 0. Received "
                "only scores of 0. Check that every layer has weights other "
                "than 0, and that gradients are not too small for the dtype."
            )
        if self.scope == "global":
            masks = mask_selection.global_top_k(
                scores, request.count, self.keep_alive, request.seed
            )
        else:
            counts = same_fraction(sparse.kernels, request.density)
            masks = mask_selection.layerwise_top_k(scores, counts, request.seed)
        return Ticket(masks, scores=scores)


def same_fraction(kernels, density):
    """Returns how many connections to keep of each kernel: one fraction."""
    return distributions.budgets(
        [kernel.shape for kernel in kernels],
        [1 - density] * len(kernels),
        names=[kernel.name for kernel in kernels],
    )
