"""Base class of finders that train scores of connections."""

import dataclasses
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import numpy as np

from rigl_tf.modeling.sparse_model import SparseModel
from rigl_tf.tickets import normalization
from rigl_tf.tickets import optimizers
from rigl_tf.tickets.base import SearchRequest
from rigl_tf.tickets.base import TicketFinder
from rigl_tf.tickets.model_state import get_weights
from rigl_tf.tickets.search import mask_selection
from rigl_tf.tickets.search.prune_callback import PruningCallback
from rigl_tf.tickets.search.score_model import ScoreModel
from rigl_tf.tickets.search.score_rules import ScoreRule
from rigl_tf.tickets.search.signed_constant import WEIGHTS
from rigl_tf.tickets.search.signed_constant import make_signed_constant
from rigl_tf.tickets.ticket import Ticket
from rigl_tf.utils import tensors
from rigl_tf.utils.validation import check_choice
from rigl_tf.utils.validation import check_count
from rigl_tf.utils.validation import check_function


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainedScoresFinder(TicketFinder):
    """Base class of finders that train scores while weights are fixed.

    Args:
        epochs: Integer, the epochs of the search, or `None` for the epochs of
            the task.
        optimizer: Function from the number of steps to the optimizer of the
            scores, as in `rigl_tf.tickets.optimizers`.
        weights: `"signed_constant"`, or `"own"` for the weights of the model,
            such as pretrained weights.
    """

    epochs: int | None = None
    optimizer: Callable = optimizers.sgd
    weights: str = "signed_constant"

    def __post_init__(self):
        check_count("epochs", self.epochs, optional=True)
        check_function("optimizer", self.optimizer, "the number of steps")
        check_choice("weights", self.weights, WEIGHTS)

    def model(
        self, sparse: SparseModel, rule: ScoreRule, seed: int
    ) -> ScoreModel:
        """Returns the `ScoreModel` of a sparse model, and sets its weights."""
        if self.weights == "signed_constant":
            make_signed_constant(sparse)
        return ScoreModel(sparse.network, rule, seed)

    def train(
        self,
        model: ScoreModel,
        request: SearchRequest,
        counts: Sequence[int],
        period: int,
        prune: Callable[[int], Any],
    ) -> dict[str, Any]:
        """Trains scores and prunes after every few epochs.

        Args:
            model: `ScoreModel`.
            request: `SearchRequest`.
            counts: List of integers, the connections to keep, one for each
                pruning.
            period: Integer, the number of epochs between two prunings.
            prune: Function of one of the counts.

        Returns:
            Dictionary, the history.
        """
        epochs = self._epochs(request)
        num_steps = epochs * request.dataset.steps_per_epoch
        request.trainer.compile(model, self.optimizer(num_steps))
        return request.trainer(
            model,
            "search",
            "Search: training of scores",
            epochs,
            [PruningCallback(counts, period, prune)],
        ).history

    def scores(self, model: ScoreModel) -> dict[str, np.ndarray]:
        """Returns a dictionary from kernel name to the array of |score|.

        Frozen connections have the score `-inf`.
        """
        return {
            kernel.name: mask_selection.mask_scores(
                tensors.as_array(kernel.mask),
                abs(tensors.as_array(kernel.variable)),
            )
            for kernel in model.kernels
        }

    def ticket(
        self,
        model: ScoreModel,
        masks: dict[str, np.ndarray],
        history: dict[str, Any],
        request: SearchRequest,
    ) -> Ticket:
        """Returns the `Ticket` of a model with trained scores.

        If the masks differ from the connections of the search, a pass over
        the training data recomputes the statistics of normalization.
        """
        searched = [np.array(mask) for mask in model.selected_masks()]
        if not all(map(np.array_equal, searched, masks.values())):
            data = request.dataset
            batches = data.train(request.seed).take(data.steps_per_epoch)
            normalization.recompute_statistics(model, masks, batches)
        return Ticket(
            masks,
            weights=get_weights(model),
            scores=self.scores(model),
            history=history,
            signed_constant=self.weights == "signed_constant",
        )

    def _epochs(self, request):
        return request.epochs(self)

    def num_epochs(self, density: float, epochs: int) -> int:
        del density
        return self.epochs or epochs
