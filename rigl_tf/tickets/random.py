"""Random tickets."""

import dataclasses
from collections.abc import Callable

from rigl_tf import distributions
from rigl_tf import layers
from rigl_tf import masks
from rigl_tf.tickets.base import Finder
from rigl_tf.tickets.ticket import Ticket


@dataclasses.dataclass(frozen=True)
class Random(Finder):
    """Keeps connections at random.

    Args:
        distribution: How layers share the sparsity, a function of
            `rigl_tf.distributions` or its name.
    """

    distribution: Callable | str = distributions.uniform_all

    def search(self, sparse, request):
        names = [kernel.name for kernel in sparse.kernels]
        shapes = [kernel.shape for kernel in sparse.kernels]
        sparsities = distributions.get(self.distribution)(
            shapes, 1 - request.density, names=names
        )
        counts = distributions.budgets(shapes, sparsities, names=names)
        return random_ticket(sparse.kernels, counts, request.seed)

    def num_epochs(self, density, epochs):
        del density, epochs
        return 0


def random_ticket(kernels, counts, seed):
    """A `Ticket` with as many random connections of each kernel."""
    return Ticket(
        {
            kernel.name: layers.as_array(
                masks.random_mask(kernel.variable.shape, count, (seed, i))
            )
            for i, (kernel, count) in enumerate(
                zip(kernels, counts, strict=True)
            )
        }
    )
