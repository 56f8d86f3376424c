"""SNIP: connections whose removal would change the loss most."""

import dataclasses

import numpy as np
import tensorflow as tf

from rigl_tf.checks import check_count
from rigl_tf.tickets import scoring
from rigl_tf.tickets.one_shot import OneShot


@dataclasses.dataclass(frozen=True)
class SNIP(OneShot):
    """Keeps the connections with the largest |w dL/dw|.

    The authors score the batch with normalization at inference, prune biases,
    too, and train other weights than those that were scored. Here, batch
    statistics are used, biases stay, and the ticket has the weights that were
    scored.

    Args:
        num_batches: Integer, batches over which gradients are summed.

    Reference:
        [Lee et al., 2019](https://arxiv.org/abs/1810.02340), equation 6.
    """

    num_batches: int = 1

    def __post_init__(self):
        super().__post_init__()
        check_count("num_batches", self.num_batches)

    def scores(self, sparse, request):
        network = scoring.Scoring(sparse, request.loss)
        kernels = network.kernels
        summed = gradients(
            network, kernels, scoring.batches(request, self.num_batches)
        )
        sizes = [
            np.abs(w.numpy() * g) for w, g in zip(kernels, summed, strict=True)
        ]
        total = sum(size.sum(dtype=np.float64) for size in sizes)
        return [size / total for size in sizes] if total else sizes

    def phases(self, density, epochs, num_examples, batch_size):
        del density, epochs, num_examples
        return [(self.num_batches * batch_size, 1.0)]


def gradients(network, kernels, batches):
    """The gradients of the loss with respect to kernels, summed, as arrays."""

    @tf.function
    def gradient(batch):
        with tf.GradientTape() as tape:
            tape.watch(kernels)
            loss = network.of(kernels, batch)
        found = tape.gradient(loss, kernels, unconnected_gradients="zero")
        return [tf.convert_to_tensor(g) for g in found]  # of embeddings, too

    return [
        np.sum([part.numpy() for part in parts], axis=0)
        for parts in zip(*map(gradient, batches), strict=True)
    ]
