"""ProsPr: connections that matter to the loss after some training."""

import dataclasses

import numpy as np
import tensorflow as tf

from rigl_tf.checks import check_choice
from rigl_tf.checks import check_count
from rigl_tf.checks import check_number
from rigl_tf.tickets import scoring
from rigl_tf.tickets.one_shot import OneShot


@dataclasses.dataclass(frozen=True)
class ProsPr(OneShot):
    """Keeps the connections with the largest |dL/dm| after K steps of SGD.

    The network, its kernels multiplied by masks m that are one everywhere,
    takes K steps of SGD on K batches; the loss of the next batch is then
    differentiated with respect to m, through all the steps. With no step at
    all, this is SNIP. Other trainable variables take the steps, too.

    The authors' code loses the gradient through the first step if there is
    momentum; here it is exact.

    Args:
        num_steps: Integer, K.
        learning_rate: Number above 0, of the inner steps.
        momentum: Number in [0, 1), of the inner steps.
        order: `"full"`, or `"first"`: what a step subtracts then counts as a
            constant, which saves the memory of second derivatives.
        new_batches: Whether every step sees another batch.

    Reference:
        [Alizadeh et al., 2022](https://arxiv.org/abs/2202.08132), section 3.
    """

    num_steps: int = 3
    learning_rate: float = 0.1
    momentum: float = 0.0
    order: str = "full"
    new_batches: bool = True

    def __post_init__(self):
        super().__post_init__()
        check_count("num_steps", self.num_steps, least=0)
        check_number("learning_rate", self.learning_rate, "(0, inf)")
        check_number("momentum", self.momentum, "[0, 1)")
        check_choice("order", self.order, ("full", "first"))

    def scores(self, sparse, request):
        network = scoring.Scoring(sparse, request.loss)
        kernels = network.kernels
        num = self.num_steps + 1 if self.new_batches else 1
        batches = scoring.batches(request, num)
        kept = {id(kernel.variable) for kernel in sparse.kernels}
        others = [v for v in sparse.trainable_variables if id(v) not in kept]
        values = [*kernels, *map(tf.convert_to_tensor, others)]

        def loss(values, batch):
            pairs = zip(others, values[len(kernels) :], strict=True)
            return network.of(values[: len(kernels)], batch, list(pairs))

        @tf.function
        def meta_gradient(batches):
            masks = [tf.ones_like(kernel) for kernel in kernels]
            with tf.GradientTape() as tape:
                tape.watch(masks)
                now = [
                    w * m for w, m in zip(kernels, masks, strict=False)
                ] + values[len(kernels) :]
                velocity = [tf.zeros_like(v) for v in now]
                for step in range(self.num_steps):
                    gradient = self._gradient(loss, now, batches[step % num])
                    velocity = [
                        self.momentum * v + g
                        for v, g in zip(velocity, gradient, strict=True)
                    ]
                    now = [
                        w - self.learning_rate * v
                        for w, v in zip(now, velocity, strict=True)
                    ]
                last = loss(now, batches[-1])
            return tape.gradient(last, masks, unconnected_gradients="zero")

        return [np.abs(g.numpy()) for g in meta_gradient(batches)]

    def phases(self, density, epochs, num_examples, batch_size):
        del density, epochs, num_examples
        each = 3 if self.order == "full" else 1  # a gradient of gradients
        return [((each * self.num_steps + 1) * batch_size, 1.0)]

    def _gradient(self, loss, values, batch):
        with tf.GradientTape() as tape:
            tape.watch(values)
            found = loss(values, batch)
        gradient = tape.gradient(found, values, unconnected_gradients="zero")
        if self.order == "first":
            gradient = [tf.stop_gradient(g) for g in gradient]
        return gradient
