"""GraSP: keeps connections that preserve the gradient flow."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from rigl_tf.modeling.sparse_model import SparseModel
from rigl_tf.tickets.base import SearchRequest
from rigl_tf.tickets.saliency import loss_functional
from rigl_tf.utils.validation import check_count
from rigl_tf.utils.validation import check_number


@dataclasses.dataclass(frozen=True)
class GraSP(loss_functional.ByGradient):
    """Keeps the connections with the largest w (Hg).

    `g` is the gradient of the loss and `H` is its Hessian. The product is
    computed by differentiating twice. GraSP first removes the connections
    with the largest -w (Hg); the norm of the gradient would grow without them.

    Args:
        num_batches: Integer, number of batches to sum `g` and `H` over. The
            authors use 10 examples of each class, or 25.
        temperature: Number above 0. Logits of a softmax are divided by it.
            Outputs are logits of a softmax if the loss is a cross entropy of
            classes with `from_logits=True`. Other outputs, such as
            probabilities, inputs of a sigmoid or regression values, and all
            outputs with a custom loss are not divided.

    Reference:
        [Wang et al., 2020](https://arxiv.org/abs/2002.07376), equation 8.

    Example:

    >>> finder = rigl_tf.tickets.GraSP()
    >>> ticket = finder.find(network, (x, y), density=0.5)
    """

    num_batches: int = 2
    temperature: float = 200.0

    def __post_init__(self):
        super().__post_init__()
        check_count("num_batches", self.num_batches)
        check_number("temperature", self.temperature, "(0, inf)")

    def scores(
        self, sparse: SparseModel, request: SearchRequest
    ) -> list[np.ndarray]:
        network = self.make_functional(
            sparse,
            [kernel.variable for kernel in sparse.kernels],
            request,
            self.temperature,
        )
        batches = loss_functional.first_batches(request, self.num_batches)
        values = network.values
        gradient = network.gradient(values, batches)
        products = network.times_hessian(values, gradient, batches)
        raw = [(w * hg).numpy() for w, hg in zip(values, products, strict=True)]
        norm = abs(sum(r.sum(dtype=np.float64) for r in raw)) + 1e-10
        return [r / float(norm) for r in raw]

    def phases(
        self, density: float, epochs: int, num_examples: int, batch_size: int
    ) -> Sequence[tuple[float, float]]:
        del density, epochs, num_examples
        # One gradient, and one derivative of a gradient.
        return [((1 + 3) * self.num_batches * batch_size, 1.0)]
