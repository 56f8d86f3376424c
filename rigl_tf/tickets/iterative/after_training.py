"""Tickets of a network that is trained first."""

import dataclasses
from collections.abc import Sequence

import keras

from rigl_tf.modeling.sparse_model import SparseModel
from rigl_tf.tickets import optimizers
from rigl_tf.tickets.base import SearchRequest
from rigl_tf.tickets.base import TicketFinder
from rigl_tf.tickets.model_state import get_weights
from rigl_tf.tickets.saliency.magnitude import Magnitude
from rigl_tf.tickets.ticket import Ticket
from rigl_tf.training.trainer import Trainer
from rigl_tf.utils.validation import check_count


@dataclasses.dataclass(frozen=True)
class AfterTraining(TicketFinder):
    """Trains the dense network, then finds a ticket with the trained weights.

    The ticket starts with the trained weights, so its training is fine-tuning,
    with a new optimizer. For a network that is trained already, use `finder`
    alone.

    Args:
        finder: `TicketFinder`, such as `Wanda()`.
        epochs: Integer, the epochs of the dense training, or `None` for the
            epochs of the task.

    Example:

    >>> finder = tickets.AfterTraining(tickets.Wanda(), epochs=5)
    >>> finder.num_epochs(density=0.1, epochs=10)  # the examples are one more
    6
    """

    finder: TicketFinder = Magnitude()
    epochs: int | None = None

    def __post_init__(self):
        if not isinstance(self.finder, TicketFinder):
            raise TypeError(
                "`finder` must be a `TicketFinder`, such as `Wanda()`. "
                f"Received: finder={self.finder!r}."
            )
        check_count("epochs", self.epochs, optional=True)

    def search(self, sparse: SparseModel, request: SearchRequest) -> Ticket:
        trainer, epochs = request.trainer, request.epochs(self)
        trainer.compile(sparse, optimizers.task_optimizer(trainer, epochs))
        training = trainer(
            sparse, "search/dense", "Training of the dense network", epochs
        )
        trained = get_weights(sparse)  # the search may set some to zero
        ticket = self.finder.search(sparse, request)
        return dataclasses.replace(
            ticket,
            weights=ticket.weights or trained,
            history={**training.history, **ticket.history},
        )

    def apply_check(
        self,
        check: str,
        ticket: Ticket,
        model: keras.Model,
        seed: int,
        trainer: Trainer,
    ) -> Ticket:
        # The weights of the ticket are those that the finder has started from.
        return self.finder.apply_check(check, ticket, model, seed, trainer)

    def validate_check(self, check: str) -> None:
        self.finder.validate_check(check)

    def num_epochs(self, density: float, epochs: int) -> int:
        dense = self.epochs or epochs
        return dense + self.finder.num_epochs(density, epochs)

    def phases(
        self, density: float, epochs: int, num_examples: int, batch_size: int
    ) -> Sequence[tuple[float, float]]:
        dense = (self.epochs or epochs) * num_examples
        return [
            (dense, 1.0),
            *self.finder.phases(density, epochs, num_examples, batch_size),
        ]
