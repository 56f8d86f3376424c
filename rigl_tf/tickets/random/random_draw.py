"""Random tickets."""

import dataclasses
from collections.abc import Callable

from rigl_tf.sparsity import distributions
from rigl_tf.sparsity import masks
from rigl_tf.tickets.base import Finder
from rigl_tf.tickets.ticket import Ticket
from rigl_tf.utils import tensors

# Why tickets cannot be checked.
RANDOM = {
    "invert": "its connections are chosen at random, and there are no scores "
    "that could be inverted"
}


@dataclasses.dataclass(frozen=True)
class Random(Finder):
    """Keeps connections at random.

    Args:
        distribution: How layers share the sparsity, a function of
            `rigl_tf.distributions` or its name. Its densities are scaled to
            the total asked for.
    """

    distribution: Callable | str = distributions.uniform_all

    refused = RANDOM

    def search(self, sparse, request):
        names = [kernel.name for kernel in sparse.kernels]
        sparsities = distributions.get(self.distribution)(
            [kernel.shape for kernel in sparse.kernels],
            1 - request.density,
            names=names,
        )
        densities = scale_to(
            [1 - sparsity for sparsity in sparsities],
            [kernel.size for kernel in sparse.kernels],
            request.density,
        )
        return of_densities(sparse.kernels, densities, request.seed)

    def num_epochs(self, density, epochs):
        del density, epochs
        return 0


def random_ticket(kernels, counts, seed):
    """A `Ticket` with as many random connections of each kernel."""
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


def of_densities(kernels, densities, seed):
    """A random `Ticket` with the density of each kernel."""
    counts = distributions.budgets(
        [kernel.shape for kernel in kernels],
        [1 - density for density in densities],
        names=[kernel.name for kernel in kernels],
    )
    return random_ticket(kernels, counts, seed)


def scale_to(wanted, sizes, density):
    """Densities in proportion to others, at most 1, with a given mean."""
    left, result = density * sum(sizes), [None] * len(sizes)
    open_layers = set(range(len(sizes)))
    while open_layers:
        factor = left / sum(wanted[i] * sizes[i] for i in open_layers)
        full = {i for i in open_layers if factor * wanted[i] >= 1}
        for i in full or open_layers:
            result[i] = min(factor * wanted[i], 1.0)
        if not full:
            break
        left -= sum(sizes[i] for i in full)
        open_layers -= full
    return result
