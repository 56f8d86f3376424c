"""Tickets with the final mask of gradual pruning and initial weights."""

import dataclasses
from collections.abc import Sequence

from rigl_tf.algorithms import GradualPruning
from rigl_tf.analysis import flops_estimates
from rigl_tf.callbacks.sparsity_monitor import SparsityMonitor
from rigl_tf.modeling.convert import sparsify
from rigl_tf.modeling.sparse_model import SparseModel
from rigl_tf.sparsity import distributions
from rigl_tf.sparsity.schedules import PolynomialSparsity
from rigl_tf.sparsity.schedules import UpdateSchedule
from rigl_tf.tickets import optimizers
from rigl_tf.tickets.base import UNSUPPORTED_IF_PRUNED
from rigl_tf.tickets.base import SearchRequest
from rigl_tf.tickets.base import TicketFinder
from rigl_tf.tickets.search import mask_selection
from rigl_tf.tickets.ticket import Ticket
from rigl_tf.typing import Distribution
from rigl_tf.utils import tensors
from rigl_tf.utils.validation import check_count


@dataclasses.dataclass(frozen=True)
class OneShotLottery(TicketFinder):
    """Prunes a network during training, then resets the weights.

    Args:
        algorithm: `GradualPruning`.
        distribution: Function of `rigl_tf.distributions`, or its name.
        schedule: `UpdateSchedule` of the pruning. By default, the network is
            pruned after every epoch in the first three quarters of training.
        epochs: Integer, the epochs of the pruning, or `None` for the epochs of
            the task.

    Reference:
        [Sundar & Dwaraknath, 2021](https://arxiv.org/abs/2103.15767),
        section 4, "Lottery".
    """

    algorithm: GradualPruning = GradualPruning()
    distribution: str | Distribution = distributions.erdos_renyi_kernel
    schedule: UpdateSchedule = UpdateSchedule(interval=None)
    epochs: int | None = None

    unsupported_checks = UNSUPPORTED_IF_PRUNED

    def __post_init__(self):
        if not isinstance(self.algorithm, GradualPruning):
            raise TypeError(
                "`algorithm` must be a `GradualPruning`. "
                f"Received: algorithm={self.algorithm!r}."
            )
        check_count("epochs", self.epochs, optional=True)

    def search(self, sparse: SparseModel, request: SearchRequest) -> Ticket:
        pruned = sparsify(
            sparse.network,
            self.algorithm,
            sparsity=1 - request.density,
            distribution=self.distribution,
            schedule=self.schedule,
            seed=request.seed,
        )
        trainer, epochs = request.trainer, request.epochs(self)
        trainer.compile(pruned, optimizers.task_optimizer(trainer, epochs))
        training = trainer(
            pruned,
            "search",
            "Search: gradual pruning",
            epochs,
            [SparsityMonitor()],
        )
        scores = {
            kernel.name: mask_selection.mask_scores(
                tensors.as_array(kernel.mask),
                abs(tensors.as_array(kernel.variable)),
            )
            for kernel in pruned.kernels
        }
        # Rounding or a short training may leave too many connections.
        masks = mask_selection.global_top_k(
            scores, request.count, self.keep_alive, request.seed
        )
        return Ticket(masks, scores=scores, history=training.history)

    def num_epochs(self, density: float, epochs: int) -> int:
        del density
        return self.epochs or epochs

    def phases(
        self, density: float, epochs: int, num_examples: int, batch_size: int
    ) -> Sequence[tuple[float, float]]:
        densities = flops_estimates.scheduled_densities(
            PolynomialSparsity(1 - density),
            self.schedule,
            self.epochs or epochs,
            -(-num_examples // batch_size),
        )
        return [(num_examples, density) for density in densities]
