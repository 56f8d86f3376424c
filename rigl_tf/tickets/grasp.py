"""GraSP: connections that carry the flow of the gradient."""

import dataclasses

import numpy as np

from rigl_tf.checks import check_count
from rigl_tf.checks import check_number
from rigl_tf.tickets import scoring


@dataclasses.dataclass(frozen=True)
class GraSP(scoring.ByGradient):
    """Keeps the connections with the largest w (Hg).

    `g` is the gradient of the loss and `H` its Hessian, here multiplied by
    differentiating twice. What is removed first are the connections with the
    largest -w (Hg), without which the norm of the gradient would grow.

    Args:
        num_batches: Integer, batches over which both are summed. The authors
            take 10 examples of each class, or 25.
        temperature: Number above 0, by which the logits of a softmax are
            divided. The loss tells them: it is a cross entropy of classes
            with `from_logits=True`. Outputs of any other kind, such as
            probabilities, what a sigmoid takes, or numbers to regress, and
            those of losses of your own stay as they are.

    Reference:
        [Wang et al., 2020](https://arxiv.org/abs/2002.07376), equation 8.
    """

    num_batches: int = 2
    temperature: float = 200.0

    def __post_init__(self):
        super().__post_init__()
        check_count("num_batches", self.num_batches)
        check_number("temperature", self.temperature, "(0, inf)")

    def scores(self, sparse, request):
        network = self.scoring(
            sparse,
            [kernel.variable for kernel in sparse.kernels],
            request,
            self.temperature,
        )
        batches = scoring.batches(request, self.num_batches)
        values = network.values
        gradient = network.gradient(values, batches)
        products = network.times_hessian(values, gradient, batches)
        raw = [(w * hg).numpy() for w, hg in zip(values, products, strict=True)]
        norm = abs(sum(r.sum(dtype=np.float64) for r in raw)) + 1e-10
        return [r / float(norm) for r in raw]

    def phases(self, density, epochs, num_examples, batch_size):
        del density, epochs, num_examples
        # The gradient, and then the derivative of a gradient.
        return [((1 + 3) * self.num_batches * batch_size, 1.0)]
