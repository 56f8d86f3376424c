"""Smart ratios with layer densities from gradient descent."""

import dataclasses
import functools
from collections.abc import Callable
from collections.abc import Sequence

import numpy as np

from rigl_tf.modeling import sparse_wrapper
from rigl_tf.modeling.sparse_model import SparseModel
from rigl_tf.tickets import optimizers
from rigl_tf.tickets.base import SearchRequest
from rigl_tf.tickets.base import TicketFinder
from rigl_tf.tickets.random.random_draw import UNSUPPORTED_IF_RANDOM
from rigl_tf.tickets.random.random_draw import ticket_from_densities
from rigl_tf.tickets.random.smart_ratio import SmartRatio
from rigl_tf.tickets.search.score_model import ScoreModel
from rigl_tf.tickets.search.score_rules import BernoulliScores
from rigl_tf.tickets.ticket import Ticket
from rigl_tf.utils import tensors
from rigl_tf.utils.validation import check_count
from rigl_tf.utils.validation import check_function


@dataclasses.dataclass(frozen=True)
class SmartRatioTuned(TicketFinder):
    """Trains one density per layer; every step draws new connections.

    The training does not keep the total density fixed; `Ticket.density` has
    the final value. Rare Gems calls this version 5 of smart ratios if it
    starts from version 2, and version 6 if it starts from version 4. The
    densities in Table 16 of Rare Gems, 1.53 % and 1.47 %, have drifted from
    1.44 %.

    Args:
        start: `SmartRatio` or `SmartRatioSearch`, for the initial densities.
        epochs: Integer, or `None` for the epochs of the task.
        optimizer: Function from the number of steps to the optimizer of the
            densities, as in `rigl_tf.tickets.optimizers`. The gradient of a
            density is the sum of the gradients of all connections.

    Reference:
        [Sreenivasan et al., 2022](https://arxiv.org/abs/2202.12002),
        equation 1.
    """

    start: TicketFinder = SmartRatio()
    epochs: int | None = None
    optimizer: Callable = functools.partial(
        optimizers.sgd, learning_rate=1e-6, momentum=0.0
    )

    unsupported_checks = UNSUPPORTED_IF_RANDOM

    def __post_init__(self):
        if not isinstance(self.start, TicketFinder):
            raise TypeError(
                "`start` must be a `SmartRatio` or a `SmartRatioSearch`. "
                f"Received: start={self.start!r}."
            )
        check_count("epochs", self.epochs, optional=True)
        check_function("optimizer", self.optimizer, "the number of steps")

    def search(self, sparse: SparseModel, request: SearchRequest) -> Ticket:
        kernels = sparse_wrapper.sparse_kernels(sparse)
        first = self.start.search(sparse, request)
        sparse.set_masks(
            {
                k.name: np.ones_like(tensors.as_array(k.mask), bool)
                for k in kernels
            }
        )
        model = ScoreModel(
            sparse.network,
            BernoulliScores(
                [float(first.masks[k.name].mean()) for k in kernels]
            ),
            request.seed,
        )
        epochs = request.epochs(self)
        num_steps = epochs * request.dataset.steps_per_epoch
        request.trainer.compile(model, self.optimizer(num_steps))
        training = request.trainer(
            model, "search/tuning", "Search: training of densities", epochs
        )
        wanted = [float(tensors.as_array(score)) for score in model.scores]
        for kernel, density in zip(kernels, wanted, strict=True):
            if density == 0:
                raise ValueError(
                    f"The trained density of {kernel.name} must be above 0. "
                    "Received: 0. Lower the learning rate of `optimizer`."
                )
        ticket = ticket_from_densities(kernels, wanted, request.seed)
        return dataclasses.replace(ticket, history=training.history)

    def num_epochs(self, density: float, epochs: int) -> int:
        start = self.start.num_epochs(density, epochs)
        return start + (self.epochs or epochs)

    def phases(
        self, density: float, epochs: int, num_examples: int, batch_size: int
    ) -> Sequence[tuple[float, float]]:
        start = self.start.phases(density, epochs, num_examples, batch_size)
        return [*start, ((self.epochs or epochs) * num_examples, 1.0)]
