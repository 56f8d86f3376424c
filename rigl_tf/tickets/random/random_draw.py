"""Random tickets."""

import dataclasses

from rigl_tf.modeling.sparse_model import SparseModel
from rigl_tf.sparsity import distributions
from rigl_tf.sparsity import masks
from rigl_tf.tickets.base import SearchRequest
from rigl_tf.tickets.base import TicketFinder
from rigl_tf.tickets.search import pruning_counts
from rigl_tf.tickets.ticket import Ticket
from rigl_tf.typing import Distribution
from rigl_tf.utils import tensors

# Checks that do not apply to random tickets, and why.
UNSUPPORTED_IF_RANDOM = {
    "invert": "it chooses connections at random, without scores"
}


@dataclasses.dataclass(frozen=True)
class Random(TicketFinder):
    """Keeps random connections.

    Args:
        distribution: Function of `rigl_tf.distributions`, or its name. It
            gives the sparsity of each layer. The densities are scaled to the
            requested total.

    Example:

    >>> finder = rigl_tf.tickets.Random()
    >>> ticket = finder.find(network, (x, y), density=0.5)
    """

    distribution: str | Distribution = distributions.uniform_all

    unsupported_checks = UNSUPPORTED_IF_RANDOM

    def search(self, sparse: SparseModel, request: SearchRequest) -> Ticket:
        counts = pruning_counts.distributed(
            sparse, self.distribution, request.density
        )
        return random_ticket(sparse.kernels, counts, request.seed)

    def num_epochs(self, density: float, epochs: int) -> int:
        del density, epochs
        return 0


def random_ticket(kernels, counts, seed):
    """Returns a `Ticket` with a number of random connections per kernel."""
    return Ticket(
        {
            kernel.name: tensors.as_array(
                masks.random_mask(kernel.variable.shape, count, (seed, i))
            )
            for i, (kernel, count) in enumerate(
                zip(kernels, counts, strict=True)
            )
        }
    )


def ticket_from_densities(kernels, densities, seed):
    """Returns a random `Ticket` with the given density of each kernel."""
    counts = distributions.budgets(
        [kernel.shape for kernel in kernels],
        [1 - density for density in densities],
        names=[kernel.name for kernel in kernels],
    )
    return random_ticket(kernels, counts, seed)
