"""Tickets whose connections are chosen by scores that are trained."""

import dataclasses
from collections.abc import Callable

import numpy as np

from rigl_tf.tickets import normalization
from rigl_tf.tickets import optimizers
from rigl_tf.tickets.base import Finder
from rigl_tf.tickets.search import mask_selection
from rigl_tf.tickets.search.prune_callback import Prunes
from rigl_tf.tickets.search.score_model import ScoreModel
from rigl_tf.tickets.search.signed_constant import KINDS
from rigl_tf.tickets.search.signed_constant import make_signed_constant
from rigl_tf.tickets.ticket import Ticket
from rigl_tf.tickets.ticket import get_weights
from rigl_tf.utils import tensors
from rigl_tf.utils.validation import check_choice
from rigl_tf.utils.validation import check_count
from rigl_tf.utils.validation import check_function


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scored(Finder):
    """Trains scores while weights stay as they are.

    Args:
        epochs: Integer, how long scores are trained, or `None`: as long as
            the task takes.
        optimizer: Function of the number of steps to the optimizer of the
            scores, as in `rigl_tf.tickets.optimizers`.
        weights: `"signed_constant"`, or `"own"`: those of the model, such as
            pretrained ones.
    """

    epochs: int | None = None
    optimizer: Callable = optimizers.sgd
    weights: str = "signed_constant"

    def __post_init__(self):
        check_count("epochs", self.epochs, optional=True)
        check_function("optimizer", self.optimizer, "the number of steps")
        check_choice("weights", self.weights, KINDS)

    def model(self, sparse, rule, seed):
        """The `ScoreModel` of a sparse model, whose weights are made so."""
        if self.weights == "signed_constant":
            make_signed_constant(sparse)
        return ScoreModel(sparse.network, rule, seed)

    def train(self, model, request, steps, period, prune):
        """Trains scores, and prunes after every few epochs.

        Args:
            model: `ScoreModel`.
            request: `Request`.
            steps: List of integers, connections to keep each time.
            period: Integer, epochs from one time to the next.
            prune: Function of such a count.

        Returns:
            Dictionary, the history.
        """
        epochs = self._epochs(request)
        num_steps = epochs * request.dataset.steps_per_epoch
        request.fit.compile(model, self.optimizer(num_steps))
        return request.fit(
            model,
            "search",
            "The search: scores are trained",
            epochs,
            [Prunes(steps, period, prune)],
        ).history

    def scores(self, model):
        """Dictionary from kernel to the sizes of its scores, as an array.

        Connections that are frozen have minus infinity.
        """
        return {
            kernel.name: mask_selection.only(
                tensors.as_array(kernel.mask),
                abs(tensors.as_array(kernel.variable)),
            )
            for kernel in model.kernels
        }

    def ticket(self, model, masks, history, request):
        """The `Ticket` of a model whose scores are trained.

        If its masks are not the connections that counted in the search, the
        statistics of normalization are gathered for them in a pass over the
        training data.
        """
        searched = [np.array(chosen) for chosen in model.chosen()]
        if not all(map(np.array_equal, searched, masks.values())):
            data = request.dataset
            batches = data.train(request.seed).take(data.steps_per_epoch)
            normalization.gather(model, masks, batches)
        return Ticket(
            masks,
            weights=get_weights(model),
            scores=self.scores(model),
            history=history,
            signed_constant=self.weights == "signed_constant",
        )

    def _epochs(self, request):
        return request.epochs(self)

    def num_epochs(self, density, epochs):
        del density
        return self.epochs or epochs
