"""Gem-Miner: connections whose scores survive freezing."""

import dataclasses
from collections.abc import Callable

import numpy as np

from rigl_tf import layers
from rigl_tf.tickets import choose
from rigl_tf.tickets import counts
from rigl_tf.tickets import optimizers
from rigl_tf.tickets.base import Finder
from rigl_tf.tickets.one_shot import check_choice
from rigl_tf.tickets.progress import Prunes
from rigl_tf.tickets.rules import Rounded
from rigl_tf.tickets.score_model import ScoreModel
from rigl_tf.tickets.ticket import Ticket
from rigl_tf.tickets.ticket import get_weights
from rigl_tf.tickets.weights import KINDS
from rigl_tf.tickets.weights import make_signed_constant


@dataclasses.dataclass(frozen=True)
class GemMiner(Finder):
    """Trains scores in [0, 1]; those of at least one half count.

    After every `period`-th epoch, the lowest scores of all layers together
    are frozen at zero for ever, the same fraction of what is left each time.
    The last freezing, which at least one epoch of training follows, leaves
    exactly the density asked for. `Long Gem-Miner` is one with as many epochs
    as IMP takes and a period of 150.

    Where the authors' code departs from their paper: it freezes after T + 1,
    2 T + 1, ... epochs, all scores up to a threshold, so that many equal ones
    go at once; rounds one half to 0; and regularizes frozen scores, too. Here
    it is as in the paper, except that there is no freezing after the last
    epoch. Of equal scores, those to freeze are chosen at random.

    Args:
        regularization: Float, at least 0, lambda: this times the sum of the
            squared scores is added to the loss.
        norm: Integer, 2, or 1 for the sum of the scores themselves.
        period: Integer, T, epochs from one freezing to the next.
        epochs: Integer, how long scores are trained, or `None`: as long as
            the task takes.
        optimizer: Function of the number of steps to the optimizer of the
            scores, as in `rigl_tf.tickets.optimizers`.
        weights: `"signed_constant"`, or `"own"`: those of the model, such as
            pretrained ones.
        drop_low: Whether connections whose score is below one half in the end
            are dropped, too. The density is then at most that asked for.
        inverted: Whether the highest scores are frozen: a sanity check, in
            which a good finder should do badly.

    Reference:
        [Sreenivasan et al., 2022](https://arxiv.org/abs/2202.12002),
        Algorithm 1.
    """

    regularization: float = 0.0
    norm: int = 2
    period: int = 5
    epochs: int | None = None
    optimizer: Callable = optimizers.sgd
    weights: str = "signed_constant"
    drop_low: bool = False
    inverted: bool = False

    def __post_init__(self):
        check_choice("weights", self.weights, KINDS)
        check_choice("norm", self.norm, (1, 2))
        if not self.regularization >= 0:
            raise ValueError(
                "`regularization` must be at least 0. "
                f"Received: regularization={self.regularization!r}."
            )

    def search(self, sparse, request):
        if self.weights == "signed_constant":
            make_signed_constant(sparse)
        epochs = self.epochs or request.fit.epochs
        steps = counts.within_epochs(
            sum(kernel.size for kernel in sparse.kernels),
            request.density,
            epochs,
            self.period,
        )
        rule = Rounded(self.regularization, self.norm)
        model = ScoreModel(sparse.network, rule, request.seed)

        def freeze(count):
            sign = -1 if self.inverted else 1
            ranked = {
                kernel.name: np.where(
                    layers.as_array(kernel.mask),
                    sign * layers.as_array(kernel.variable),
                    -np.inf,
                )
                for kernel in model.kernels
            }
            model.set_masks(
                choose.globally(ranked, count, self.keep_alive, request.seed)
            )

        num_steps = epochs * request.dataset.steps_per_epoch
        request.fit.compile(model, self.optimizer(num_steps))
        done = request.fit(
            model,
            "search",
            "The search: scores are trained",
            epochs,
            [Prunes(steps, self.period, freeze)],
        )
        kept = model.chosen() if self.drop_low else None
        return Ticket(
            {
                kernel.name: layers.as_array(
                    kernel.mask if kept is None else kept[i]
                )
                for i, kernel in enumerate(model.kernels)
            },
            weights=get_weights(model),
            scores={
                kernel.name: layers.as_array(kernel.variable)
                for kernel in model.kernels
            },
            history=done.history,
            signed_constant=self.weights == "signed_constant",
        )

    def num_epochs(self, density, epochs):
        del density
        return self.epochs or epochs
