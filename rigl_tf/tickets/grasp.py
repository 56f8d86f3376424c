"""GraSP: connections that carry the flow of the gradient."""

import dataclasses

import numpy as np
import tensorflow as tf

from rigl_tf.checks import check_count
from rigl_tf.checks import check_number
from rigl_tf.tickets import scoring
from rigl_tf.tickets.one_shot import OneShot
from rigl_tf.tickets.snip import gradients


@dataclasses.dataclass(frozen=True)
class GraSP(OneShot):
    """Keeps the connections with the largest w (Hg).

    `g` is the gradient of the loss and `H` its Hessian, here multiplied by
    differentiating twice. What is removed first are the connections with the
    largest -w (Hg), without which the norm of the gradient would grow.

    Args:
        num_batches: Integer, batches over which both are summed. The authors
            take 10 examples of each class, or 25.
        temperature: Number above 0, by which logits are divided. Outputs that
            are probabilities are not changed by it.

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
        network = scoring.Scoring(sparse, request.loss, self.temperature)
        kernels = network.kernels
        batches = scoring.batches(request, self.num_batches)
        total = gradients(network, kernels, batches)

        @tf.function
        def times_hessian(batch):
            with tf.GradientTape() as outer:
                outer.watch(kernels)
                with tf.GradientTape() as inner:
                    inner.watch(kernels)
                    loss = network.of(kernels, batch)
                found = inner.gradient(
                    loss, kernels, unconnected_gradients="zero"
                )
                product = tf.add_n(
                    [
                        tf.reduce_sum(tf.convert_to_tensor(f) * g)
                        for f, g in zip(found, total, strict=True)
                    ]
                )
            found = outer.gradient(
                product, kernels, unconnected_gradients="zero"
            )
            return [tf.convert_to_tensor(g) for g in found]

        products = [
            np.sum([part.numpy() for part in parts], axis=0)
            for parts in zip(*map(times_hessian, batches), strict=True)
        ]
        raw = [w.numpy() * hg for w, hg in zip(kernels, products, strict=True)]
        norm = abs(sum(r.sum(dtype=np.float64) for r in raw)) + 1e-10
        return [(r / norm).astype(np.float32) for r in raw]

    def phases(self, density, epochs, num_examples, batch_size):
        del density, epochs, num_examples
        # The gradient, and then the derivative of a gradient.
        return [((1 + 3) * self.num_batches * batch_size, 1.0)]
