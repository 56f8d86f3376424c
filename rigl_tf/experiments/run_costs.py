"""FLOPs of a run by phase, estimated or from measurements."""

import dataclasses
import statistics

from rigl_tf.algorithms import Static
from rigl_tf.analysis import flops
from rigl_tf.analysis import flops_estimates
from rigl_tf.experiments.methods import Method
from rigl_tf.experiments.methods import SmallDense
from rigl_tf.experiments.methods import TicketMethod
from rigl_tf.sparsity import distributions


@dataclasses.dataclass(frozen=True)
class RunCost:
    """The FLOPs of a run.

    Attributes:
        search: Number, the FLOPs of the ticket search; 0 without a ticket.
        training: Number, the FLOPs of the training after the search.
    """

    search: float
    training: float

    @property
    def total(self):
        """Number, the FLOPs of both phases."""
        return self.search + self.training


def run_cost(cost, task, method, num_examples, training=None, search=None):
    """Counts the FLOPs of a run, from measurements or from an estimate.

    Training a ticket costs as much as training a static network. The search
    is counted as in `TicketFinder.phases`. Evaluation, sanity checks and mask
    updates do not count.

    If the sparsity of each layer is only known after a search or pruning, the
    estimate assumes the same sparsity for all layers. If updates move
    connections between layers, the estimate uses the initial densities.

    Args:
        cost: `ModelCost` of a model that has a mask on every kernel that can be
            sparse, for example from `flops_estimates.prunable_cost`.
        task: `Task`.
        method: `Method`, `TicketMethod`, `SmallDense`, or `None` for the
            dense network.
        num_examples: Integer, training examples in an epoch.
        training: List of floats, the FLOPs of a forward pass relative to the
            dense network, after every epoch. Estimated if `None`.
        search: List of floats, the same for the epochs or rounds of the
            search.

    Returns:
        `RunCost`.

    Reference:
        [Sundar & Dwaraknath, 2021](https://arxiv.org/abs/2103.15767),
        appendix B.2. Table 2 of the paper adds search and training for
        "Lottery".
    """
    dense = cost.flops(dense=True)
    epochs = task.total_epochs
    steps = -(-num_examples // task.dataset.batch_size)
    if training:
        sparse = dense * statistics.mean(training)
    else:
        sparse = _sparse_flops(cost, task, method, epochs, steps)
    interval = getattr(getattr(method, "schedule", None), "interval", None)
    algorithm = getattr(method, "algorithm", Static())
    each = flops.training(algorithm, sparse, dense, interval or steps)
    return RunCost(
        search=_search_flops(cost, task, method, num_examples, search or []),
        training=num_examples * epochs * each,
    )


def _sparse_flops(cost, task, method, epochs, steps):
    """Returns the average FLOPs of a forward pass during training."""
    dense = cost.flops(dense=True)
    if isinstance(method, SmallDense):
        return flops.inference(method.build(task.network(), 0)).flops()
    if isinstance(method, TicketMethod):
        return _uniform_flops(cost, method, 1 - method.sparsity)
    if not isinstance(method, Method):
        return dense
    algorithm, distribution = method.algorithm, method.distribution
    if algorithm.follows_sparsity and algorithm.moves_between_layers:
        distribution = distributions.uniform_all
    sparse = flops_estimates.inference_flops(
        cost, distribution, method.sparsity, method.exclude
    )
    if algorithm.follows_sparsity:
        densities = flops_estimates.scheduled_densities(
            algorithm.sparsity_schedule(method.sparsity),
            method.schedule,
            epochs,
            steps,
        )
        zeros = (1 - statistics.mean(densities)) / max(method.sparsity, 1e-9)
        sparse = dense - zeros * (dense - sparse)
    return sparse


def _search_flops(cost, task, method, num_examples, measured):
    if not isinstance(method, TicketMethod):
        return 0.0
    phases = method.phases(
        task.total_epochs, num_examples, task.dataset.batch_size
    )
    forward = [_uniform_flops(cost, method, density) for _, density in phases]
    dense = cost.flops(dense=True)
    # The steps before the rewinding point, if any, are not measured.
    forward[len(forward) - len(measured) :] = [dense * f for f in measured]
    return 3.0 * sum(
        examples * once
        for (examples, _), once in zip(phases, forward, strict=True)
    )


def _uniform_flops(cost, method, density):
    return flops_estimates.inference_flops(
        cost, distributions.uniform_all, 1 - density, method.exclude
    )
