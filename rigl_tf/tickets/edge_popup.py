"""Edge-Popup, and its steps towards Gem-Miner."""

import dataclasses
from collections.abc import Callable

from rigl_tf import layers
from rigl_tf.tickets import choose
from rigl_tf.tickets import counts
from rigl_tf.tickets import optimizers
from rigl_tf.tickets.base import Finder
from rigl_tf.tickets.one_shot import SCOPES
from rigl_tf.tickets.one_shot import check_choice
from rigl_tf.tickets.one_shot import same_fraction
from rigl_tf.tickets.progress import Prunes
from rigl_tf.tickets.rules import Highest
from rigl_tf.tickets.score_model import ScoreModel
from rigl_tf.tickets.ticket import Ticket
from rigl_tf.tickets.ticket import get_weights
from rigl_tf.tickets.weights import KINDS
from rigl_tf.tickets.weights import make_signed_constant


@dataclasses.dataclass(frozen=True)
class EdgePopup(Finder):
    """Trains scores; the connections with the largest |score| count.

    The four rows of Table 3 of Rare Gems are `EdgePopup()`,
    `EdgePopup(scope="global")`, with `period=5`, and with `regularization`,
    too.

    Args:
        epochs: Integer, how long scores are trained, or `None`: as long as
            the task takes.
        optimizer: Function of the number of steps to the optimizer of the
            scores, as in `rigl_tf.tickets.optimizers`.
        scope: `"layer"` keeps the same fraction of each layer, `"global"`
            ranks the scores of all layers together.
        period: Integer, with the scope `"global"`: after every `period`-th
            epoch the density shrinks by the same fraction. `None` begins with
            the final one.
        regularization: Float, at least 0: this times the sum of the squared
            scores is added to the loss.
        weights: `"signed_constant"`, or `"own"`: those of the model.

    Reference:
        [Ramanujan et al., 2020](https://arxiv.org/abs/1911.13299), section 3;
        [Sreenivasan et al., 2022](https://arxiv.org/abs/2202.12002), Table 3.
    """

    epochs: int | None = None
    optimizer: Callable = optimizers.sgd
    scope: str = "layer"
    period: int | None = None
    regularization: float = 0.0
    weights: str = "signed_constant"

    def __post_init__(self):
        check_choice("scope", self.scope, SCOPES)
        check_choice("weights", self.weights, KINDS)
        if self.period is not None and self.scope != "global":
            raise ValueError(
                "`period` is for scores of all layers together, with "
                f'`scope="global"`. Received: period={self.period}.'
            )

    def search(self, sparse, request):
        if self.weights == "signed_constant":
            make_signed_constant(sparse)
        epochs = self.epochs or request.fit.epochs
        size = sum(kernel.size for kernel in sparse.kernels)
        in_layers, steps = None, [request.count]
        if self.scope == "layer":
            in_layers = same_fraction(sparse.kernels, request.density)
        elif self.period is not None:
            steps = counts.within_epochs(
                size, request.density, epochs, self.period
            )
        model = ScoreModel(
            sparse.network,
            Highest(in_layers, self.regularization),
            request.seed,
        )
        model.count.assign(steps[0])
        num_steps = epochs * request.dataset.steps_per_epoch
        request.fit.compile(model, self.optimizer(num_steps))
        done = request.fit(
            model,
            "search",
            "The search: scores are trained",
            epochs,
            [Prunes(steps, self.period or epochs, model.count.assign)],
        )
        scores = {
            kernel.name: abs(layers.as_array(kernel.variable))
            for kernel in model.kernels
        }
        if self.scope == "layer":
            masks = choose.by_layer(scores, in_layers, request.seed)
        else:
            masks = choose.globally(
                scores, request.count, self.keep_alive, request.seed
            )
        return Ticket(
            masks,
            weights=get_weights(model),
            scores=scores,
            history=done.history,
            signed_constant=self.weights == "signed_constant",
        )

    def num_epochs(self, density, epochs):
        del density
        return self.epochs or epochs
