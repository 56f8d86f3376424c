"""SNIP: keeps connections whose removal would change the loss most."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from rigl_tf.modeling.sparse_model import SparseModel
from rigl_tf.tickets.base import SearchRequest
from rigl_tf.tickets.saliency import loss_functional
from rigl_tf.utils.validation import check_count


@dataclasses.dataclass(frozen=True)
class SNIP(loss_functional.ByGradient):
    """Keeps the connections with the largest |w dL/dw|.

    The authors score with normalization in inference mode, also prune biases,
    and train other weights than the scored weights. This class uses batch
    statistics, keeps biases, and the ticket has the scored weights.

    Args:
        num_batches: Integer, number of batches to sum gradients over.

    Reference:
        [Lee et al., 2019](https://arxiv.org/abs/1810.02340), equation 6.

    Example:

    >>> finder = rigl_tf.tickets.SNIP(num_batches=1)
    >>> ticket = finder.find(network, (x, y), density=0.5)
    """

    num_batches: int = 1

    def __post_init__(self):
        super().__post_init__()
        check_count("num_batches", self.num_batches)

    def scores(
        self, sparse: SparseModel, request: SearchRequest
    ) -> list[np.ndarray]:
        network = self.make_functional(
            sparse, [kernel.variable for kernel in sparse.kernels], request
        )
        batches = loss_functional.first_batches(request, self.num_batches)
        gradient = network.gradient(network.values, batches)
        sizes = [
            np.abs((w * g).numpy())
            for w, g in zip(network.values, gradient, strict=True)
        ]
        total = sum(size.sum(dtype=np.float64) for size in sizes)
        return [size / total for size in sizes] if total else sizes

    def phases(
        self, density: float, epochs: int, num_examples: int, batch_size: int
    ) -> Sequence[tuple[float, float]]:
        del density, epochs, num_examples
        return [(self.num_batches * batch_size, 1.0)]
