"""Edge-Popup, and its variants between Edge-Popup and Gem-Miner."""

import dataclasses

from rigl_tf.modeling.sparse_model import SparseModel
from rigl_tf.tickets.base import SearchRequest
from rigl_tf.tickets.search import mask_selection
from rigl_tf.tickets.search import pruning_counts
from rigl_tf.tickets.search.score_rules import TopKScores
from rigl_tf.tickets.search.trained_scores import TrainedScoresFinder
from rigl_tf.tickets.ticket import Ticket
from rigl_tf.utils.validation import check_choice
from rigl_tf.utils.validation import check_number


@dataclasses.dataclass(frozen=True)
class EdgePopup(TrainedScoresFinder):
    """Trains scores and selects the connections with the largest |score|.

    The four rows of Table 3 of Rare Gems are `EdgePopup()`,
    `EdgePopup(scope="global")`, the same with `period=5`, and the same with
    `regularization`.

    Args:
        scope: `"layer"` keeps the same fraction of each layer, `"global"`
            ranks the scores of all layers together.
        period: Integer, only with the scope `"global"`: after every
            `period`-th epoch, the density shrinks by the same fraction. With
            `None`, the search uses the final density from the start.
        regularization: Float, at least 0: this times the sum of the squared
            scores is added to the loss.

    Reference:
        [Ramanujan et al., 2020](https://arxiv.org/abs/1911.13299), section 3;
        [Sreenivasan et al., 2022](https://arxiv.org/abs/2202.12002), Table 3.
    """

    scope: str = "layer"
    period: int | None = None
    regularization: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        check_choice("scope", self.scope, ("global", "layer"))
        check_number("regularization", self.regularization, "[0, inf)")
        if self.period is not None and self.scope != "global":
            raise ValueError(
                "`period` must be None unless all layers are ranked together. "
                f"Received: period={self.period}, scope={self.scope!r}. Pass "
                '`scope="global"`.'
            )

    def search(self, sparse: SparseModel, request: SearchRequest) -> Ticket:
        epochs = self._epochs(request)
        in_layers, steps = None, [request.count]
        if self.scope == "layer":
            in_layers = pruning_counts.distributed(
                sparse, "uniform_all", request.density
            )
        elif self.period is not None:
            steps = pruning_counts.within_epochs(
                request.size, request.density, epochs, self.period
            )
        rule = TopKScores(in_layers, self.regularization)
        model = self.model(sparse, rule, request.seed)
        model.count.assign(steps[0])
        history = self.train(
            model, request, steps, self.period or epochs, model.count.assign
        )
        scores = self.scores(model)
        if self.scope == "layer":
            masks = mask_selection.layerwise_top_k(
                scores, in_layers, request.seed
            )
        else:
            masks = mask_selection.global_top_k(
                scores, request.count, self.keep_alive, request.seed
            )
        return self.ticket(model, masks, history, request)
