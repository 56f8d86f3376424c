"""Gem-Miner: connections whose scores survive freezing."""

import dataclasses
import warnings

import numpy as np

from rigl_tf.tickets.search import mask_selection
from rigl_tf.tickets.search import pruning_counts
from rigl_tf.tickets.search.score_rules import Rounded
from rigl_tf.tickets.search.trained_scores import Scored
from rigl_tf.utils import tensors
from rigl_tf.utils.validation import check_choice
from rigl_tf.utils.validation import check_number


@dataclasses.dataclass(frozen=True)
class GemMiner(Scored):
    """Trains scores in [0, 1]; connections with at least one half count.

    After every `period`-th epoch, the lowest scores of all layers together
    are frozen at zero for ever, the same fraction of what is left each time.
    The last freezing, which at least one epoch of training follows, leaves
    exactly the density asked for. The ticket has the connections that count
    in the end: what is not frozen and has a score of at least one half. It
    may therefore be sparser than asked for; `Ticket.density` tells.

    `Long Gem-Miner` has as many epochs as IMP and a period of 150. Without a
    period, this is "Gem-Miner without sparsity control" of section 3,
    Gem-Miner(0) or Gem-Miner(lambda).

    The authors' code departs from their paper, and from this class: it
    freezes after T + 1, 2 T + 1, ... epochs, all scores up to a threshold, so
    that many equal ones go at once; rounds one half to 0; regularizes frozen
    scores, too; and at densities of 5 % or less returns all connections that
    are not frozen, as `drop_low=False` does here. This class departs from the
    paper in one point: it does not freeze after the last epoch. Of equal
    scores, those to freeze are chosen at random.

    Args:
        regularization: Float, at least 0, lambda: this times the sum of the
            squared scores is added to the loss.
        norm: Integer, 2, or 1 for the sum of the scores themselves.
        period: Integer, T, epochs from one freezing to the next, or `None`:
            nothing is frozen. The density that `find` is asked for is ignored
            then, with a warning: scores and `regularization` decide.
        drop_low: Whether connections are dropped whose score is below one
            half in the end, but for the best of an otherwise empty layer with
            `keep_alive`. If not, the ticket is another network than the one
            that was searched; its density is exact, and the statistics of
            normalization are gathered for it.
        inverted: Whether the highest scores are frozen: a sanity check, in
            which a good finder should do badly. As low scores are what it
            keeps, `drop_low` has no effect.

    Raises:
        ValueError: If an argument is out of range, or `period=None` meets
            `drop_low=False` or `inverted=True`.

    Reference:
        [Sreenivasan et al., 2022](https://arxiv.org/abs/2202.12002),
        section 3 and Algorithm 1.
    """

    regularization: float = 0.0
    norm: int = 2
    period: int | None = 5
    drop_low: bool = True
    inverted: bool = False

    def __post_init__(self):
        super().__post_init__()
        check_choice("norm", self.norm, (1, 2))
        check_number("regularization", self.regularization, "[0, inf)")
        if self.period is None and (self.inverted or not self.drop_low):
            raise ValueError(
                "Without a `period`, nothing is frozen: the ticket can neither "
                "be inverted nor keep low scores. Received: period=None, "
                f"inverted={self.inverted}, drop_low={self.drop_low}."
            )

    def search(self, sparse, request):
        epochs = self._epochs(request)
        if self.period is None:
            steps = []
            warnings.warn(
                "Gem-Miner without a `period` does not control the density: "
                f"density={request.density} is ignored.",
                stacklevel=3,
            )
        else:
            steps = pruning_counts.within_epochs(
                request.size, request.density, epochs, self.period
            )
        rule = Rounded(self.regularization, self.norm)
        model = self.model(sparse, rule, request.seed)

        def highest(count, sign=1):
            ranked = {
                name: mask_selection.only(score > -np.inf, sign * score)
                for name, score in self.scores(model).items()
            }
            return mask_selection.globally(
                ranked, count, self.keep_alive, request.seed
            )

        def freeze(count):
            model.set_masks(highest(count, -1 if self.inverted else 1))

        history = self.train(
            model, request, steps, self.period or epochs, freeze
        )
        masks = {k.name: tensors.as_array(k.mask) for k in model.kernels}
        if self.drop_low and not self.inverted:
            high = round(model.current_density() * request.size)
            masks = highest(max(high, len(masks)))
        return self.ticket(model, masks, history, request)

    @property
    def refused(self):
        if self.inverted:
            return {"invert": "it is inverted already"}
        if self.period is None:
            return {"invert": "without a `period`, it freezes nothing"}
        return {}

    def spoil(self, check, ticket, model, seed, fit):
        """For the check `"invert"`, searches again with inverted scores.

        That search begins with the weights of the ticket, and ends with as
        many connections.
        """
        if check != "invert":
            return super().spoil(check, ticket, model, seed, fit)
        self.check_applies(check)
        if fit.directory is not None:
            place = fit.directory / "checks" / "inverted"
            fit = dataclasses.replace(fit, directory=place)
        model.set_weights(ticket.weights)
        return dataclasses.replace(self, inverted=True).find(
            model,
            fit.dataset,
            ticket.density,
            seed,
            fit,
            exclude=ticket.exclude,
            include=ticket.include,
        )

    def phases(self, density, epochs, num_examples, batch_size):
        if self.period is None:
            return super().phases(density, epochs, num_examples, batch_size)
        epochs = self.epochs or epochs
        num = (epochs - 1) // self.period
        # Scores that are frozen at zero cost nothing any more.
        frozen = [min(epoch // self.period, num) for epoch in range(epochs)]
        return [(num_examples, density ** (j / num)) for j in frozen]
