"""Tickets from one ranking of all connections."""

import abc
import dataclasses

import numpy as np

from rigl_tf.modeling.sparse_model import SparseModel
from rigl_tf.sparsity import distributions
from rigl_tf.tickets.base import SearchRequest
from rigl_tf.tickets.base import TicketFinder
from rigl_tf.tickets.search import mask_selection
from rigl_tf.tickets.search import pruning_counts
from rigl_tf.tickets.ticket import Ticket
from rigl_tf.typing import Distribution
from rigl_tf.utils.validation import check_choice

SCOPES = ("global", "layer", "output")


@dataclasses.dataclass(frozen=True, kw_only=True)
class OneShot(TicketFinder):
    """Base class of finders that score every connection once.

    The connections with the highest scores are kept.

    Args:
        scope: `"global"` ranks the connections of all layers together;
            `"layer"` ranks them in each layer. `"output"` ranks the inputs of
            each output of a layer: all its outputs keep equally many, or one
            more.
        distribution: Function of `rigl_tf.distributions`, or its name, for
            `"layer"` and `"output"`: how many connections each layer keeps.
            `"lamp"` and `"owl"` use the scores of the finder. Densities are
            scaled to the requested total.
    """

    scope: str = "global"
    distribution: str | Distribution = distributions.uniform_all

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
            return Ticket(masks, scores=scores)
        counts = pruning_counts.distributed(
            sparse,
            self.distribution,
            request.density,
            list(scores.values()),
        )
        if self.scope == "layer":
            masks = mask_selection.layerwise_top_k(scores, counts, request.seed)
        else:
            layouts = [kernel.layout for kernel in sparse.kernels]
            masks = mask_selection.outputwise_top_k(
                scores, counts, layouts, request.seed
            )
        return Ticket(masks, scores=scores)
