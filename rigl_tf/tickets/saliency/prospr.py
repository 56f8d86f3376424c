"""ProsPr: keeps connections that matter after a few training steps."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from rigl_tf.modeling.sparse_model import SparseModel
from rigl_tf.tickets.base import SearchRequest
from rigl_tf.tickets.saliency import loss_functional
from rigl_tf.utils.validation import check_choice
from rigl_tf.utils.validation import check_count
from rigl_tf.utils.validation import check_number


@dataclasses.dataclass(frozen=True)
class ProsPr(loss_functional.ByGradient):
    """Keeps the connections with the largest |dL/dm| after K steps of SGD.

    The kernels of the network are multiplied by masks m of ones. The network
    takes K steps of SGD on K batches. Then the loss of the next batch is
    differentiated with respect to m, through all the steps. With K = 0, this
    is SNIP. The steps also train the other trainable variables.

    With momentum, the authors' code drops the gradient through the first
    step; here the gradient is exact.

    Args:
        num_steps: Integer, K.
        learning_rate: Number above 0, for the inner steps.
        momentum: Number in [0, 1), for the inner steps.
        order: `"full"`, or `"first"`: the update of a step then counts as a
            constant, which saves the time of second derivatives.
        new_batches: Boolean, whether every step uses a new batch.

    Reference:
        [Alizadeh et al., 2022](https://arxiv.org/abs/2202.08132), section 3.

    Example:

    >>> finder = rigl_tf.tickets.ProsPr()
    >>> ticket = finder.find(network, (x, y), density=0.5)
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

    def scores(
        self, sparse: SparseModel, request: SearchRequest
    ) -> list[np.ndarray]:
        kernels = [kernel.variable for kernel in sparse.kernels]
        kept = set(map(id, kernels))
        others = [v for v in sparse.trainable_variables if id(v) not in kept]
        network = self.make_functional(sparse, [*kernels, *others], request)
        num = self.num_steps + 1 if self.new_batches else 1
        *steps, last = loss_functional.first_batches(request, num) * (
            1 if self.new_batches else self.num_steps + 1
        )
        adjoint = self._adjoint(network, steps, last)
        return [
            np.abs((tf.convert_to_tensor(w) * a).numpy())
            for w, a in zip(kernels, adjoint, strict=False)
        ]

    def _adjoint(self, network, steps, last):
        """Differentiates the last loss by the values before the first step.

        The forward pass takes the steps v' = momentum v + g(w),
        w' = w - learning_rate v'. The backward pass needs one product with
        the Hessian per step, the memory of one step and the weights before
        every step.
        """
        before, now = self._trained(network, steps)
        adjoint = network.gradient(now, [last])
        if self.order == "first":
            return adjoint
        of_velocity = [tf.zeros([], v.dtype) for v in adjoint]
        for batch in reversed(steps):
            falls = [-self.learning_rate * a for a in adjoint]
            of_velocity = loss_functional.add(of_velocity, falls, self.momentum)
            change = network.times_hessian(before.pop(), of_velocity, [batch])
            adjoint = loss_functional.add(change, adjoint)
        return adjoint

    def _trained(self, network, steps):
        """Returns the values before every step, and the final values."""
        now, before = network.values, []
        velocity = [tf.zeros([], v.dtype) for v in now]
        for batch in steps:
            before.append(list(now))
            gradient = network.gradient(now, [batch])
            velocity = loss_functional.add(velocity, gradient, self.momentum)
            now = loss_functional.add(velocity, now, -self.learning_rate)
        return before, now

    def phases(
        self, density: float, epochs: int, num_examples: int, batch_size: int
    ) -> Sequence[tuple[float, float]]:
        del density, epochs, num_examples
        each = 3 if self.order == "full" else 1  # a gradient of gradients
        return [((each * self.num_steps + 1) * batch_size, 1.0)]
