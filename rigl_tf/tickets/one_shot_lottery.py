"""The mask that gradual pruning ends with, for untrained weights."""

import dataclasses
from collections.abc import Callable

from rigl_tf import distributions
from rigl_tf import estimates
from rigl_tf import tensors
from rigl_tf.algorithms import GradualPruning
from rigl_tf.checks import check_count
from rigl_tf.modeling.convert import sparsify
from rigl_tf.monitor import SparsityMonitor
from rigl_tf.schedules import UpdateSchedule
from rigl_tf.tickets import choose
from rigl_tf.tickets import optimizers
from rigl_tf.tickets.base import PRUNED
from rigl_tf.tickets.base import Finder
from rigl_tf.tickets.ticket import Ticket


@dataclasses.dataclass(frozen=True)
class OneShotLottery(Finder):
    """Prunes a network while it is trained; the weights begin anew.

    Args:
        algorithm: `GradualPruning`.
        distribution: Function of `rigl_tf.distributions`, or its name.
        schedule: `UpdateSchedule` of the pruning: by default, after every
            epoch in the first three quarters of training.
        epochs: Integer, how long the pruned network is trained, or `None`: as
            long as the task takes.

    Reference:
        [Sundar & Dwaraknath, 2021](https://arxiv.org/abs/2103.15767),
        section 4, "Lottery".
    """

    algorithm: GradualPruning = GradualPruning()
    distribution: Callable | str = distributions.erdos_renyi_kernel
    schedule: UpdateSchedule = UpdateSchedule(interval=None)
    epochs: int | None = None

    refused = PRUNED

    def __post_init__(self):
        if not isinstance(self.algorithm, GradualPruning):
            raise TypeError(
                "`algorithm` must be a `GradualPruning`. "
                f"Received: algorithm={self.algorithm!r}."
            )
        check_count("epochs", self.epochs, optional=True)

    def search(self, sparse, request):
        pruned = sparsify(
            sparse.network,
            self.algorithm,
            sparsity=1 - request.density,
            distribution=self.distribution,
            schedule=self.schedule,
            seed=request.seed,
        )
        fit, epochs = request.fit, request.epochs(self)
        fit.compile(pruned, optimizers.of_task(fit, epochs))
        done = fit(
            pruned,
            "search",
            "The search: pruning while training",
            epochs,
            [SparsityMonitor()],
        )
        scores = {
            kernel.name: choose.only(
                tensors.as_array(kernel.mask),
                abs(tensors.as_array(kernel.variable)),
            )
            for kernel in pruned.kernels
        }
        # What rounding, or too short a training, has left above the density.
        masks = choose.globally(
            scores, request.count, self.keep_alive, request.seed
        )
        return Ticket(masks, scores=scores, history=done.history)

    def num_epochs(self, density, epochs):
        del density
        return self.epochs or epochs

    def phases(self, density, epochs, num_examples, batch_size):
        densities = estimates.pruned_densities(
            density,
            self.schedule,
            self.epochs or epochs,
            -(-num_examples // batch_size),
        )
        return [(num_examples, density) for density in densities]
