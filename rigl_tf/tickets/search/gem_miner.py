"""Gem-Miner: trains scores and freezes the lowest ones at zero."""

import dataclasses
import warnings
from collections.abc import Sequence

import keras
import numpy as np

from rigl_tf.modeling.sparse_model import SparseModel
from rigl_tf.tickets.base import SearchRequest
from rigl_tf.tickets.search import mask_selection
from rigl_tf.tickets.search import pruning_counts
from rigl_tf.tickets.search.score_rules import RoundedScores
from rigl_tf.tickets.search.trained_scores import TrainedScoresFinder
from rigl_tf.tickets.ticket import Ticket
from rigl_tf.training.trainer import Trainer
from rigl_tf.utils import tensors
from rigl_tf.utils.validation import check_choice
from rigl_tf.utils.validation import check_count
from rigl_tf.utils.validation import check_number


@dataclasses.dataclass(frozen=True)
class GemMiner(TrainedScoresFinder):
    """Trains scores in [0, 1] and selects connections of at least one half.

    After every `period`-th epoch, the lowest scores of all layers together
    are permanently frozen at zero: the same fraction of the remaining scores
    each time. The last freezing leaves exactly the requested density, and at
    least one epoch of training follows it. The ticket has the connections
    that are not frozen and have a final score of at least one half. It may
    therefore be sparser than requested; `Ticket.density` has the value.

    `Long Gem-Miner` has as many epochs as IMP and a period of 150. Without a
    period, this is "Gem-Miner without sparsity control" of section 3,
    Gem-Miner(0) or Gem-Miner(lambda).

    The authors' code differs from their paper and from this class. It freezes
    after T + 1, 2 T + 1, ... epochs; it freezes all scores up to a threshold,
    and thus many equal scores at once; it rounds one half to 0; it also
    regularizes frozen scores; and at densities of 5 % or less it returns all
    connections that are not frozen, as `drop_low=False` does here. This class
    differs from the paper in one point: it does not freeze after the last
    epoch. The choice between equal scores is random.

    Args:
        regularization: Float, at least 0, lambda: this times the sum of the
            squared scores is added to the loss.
        norm: Integer, 2 for squared scores, or 1 for the scores themselves.
        period: Integer, T, the epochs between two freezings, or `None` to
            freeze no scores. With `None`, the `density` of `find` is ignored,
            with a warning: scores and `regularization` determine the density.
        drop_low: Boolean, whether connections with a final score below one
            half are dropped. With `keep_alive`, an otherwise empty layer keeps
            its best connection. If `False`, the ticket differs from the
            searched network: its density is exact, and the statistics of
            normalization are recomputed for it.
        inverted: Boolean, whether the highest scores are frozen instead: a
            sanity check that should make a good finder fail. The search then
            keeps low scores, so `drop_low` has no effect.

    Raises:
        ValueError: If an argument is out of range, or if `period=None` is
            combined with `drop_low=False` or `inverted=True`.

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
        check_count("period", self.period, optional=True)
        if self.period is None and (self.inverted or not self.drop_low):
            raise ValueError(
                "`inverted=True` and `drop_low=False` need a `period`: without "
                "it, no score is frozen. Received: period=None, "
                f"inverted={self.inverted}, drop_low={self.drop_low}."
            )

    def search(self, sparse: SparseModel, request: SearchRequest) -> Ticket:
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
        rule = RoundedScores(self.regularization, self.norm)
        model = self.model(sparse, rule, request.seed)

        def highest_scores(count, sign=1):
            ranked = {
                name: mask_selection.mask_scores(score > -np.inf, sign * score)
                for name, score in self.scores(model).items()
            }
            return mask_selection.global_top_k(
                ranked, count, self.keep_alive, request.seed
            )

        def freeze(count):
            sign = -1 if self.inverted else 1
            model.set_masks(highest_scores(count, sign))

        history = self.train(
            model, request, steps, self.period or epochs, freeze
        )
        masks = {k.name: tensors.as_array(k.mask) for k in model.kernels}
        if self.drop_low and not self.inverted:
            num_selected = round(model.current_density() * request.size)
            masks = highest_scores(max(num_selected, len(masks)))
        return self.ticket(model, masks, history, request)

    @property
    def unsupported_checks(self) -> dict[str, str]:
        if self.inverted:
            return {"invert": "its scores are already inverted"}
        if self.period is None:
            return {"invert": "it freezes no scores without a `period`"}
        return {}

    def apply_check(
        self,
        check: str,
        ticket: Ticket,
        model: keras.Model,
        seed: int,
        trainer: Trainer,
    ) -> Ticket:
        """Returns the modified ticket; `"invert"` searches again.

        The new search freezes the highest scores. It starts from the weights
        of the ticket and keeps the same number of connections.
        """
        if check != "invert":
            return super().apply_check(check, ticket, model, seed, trainer)
        self.validate_check(check)
        if trainer is None:
            raise ValueError(
                f"The check 'invert' of {type(self).__name__} searches again "
                "and needs `trainer`, a `rigl_tf.training.trainer.Trainer`. "
                "Received: trainer=None."
            )
        if trainer.directory is not None:
            directory = trainer.directory / "checks" / "inverted"
            trainer = dataclasses.replace(trainer, directory=directory)
        model.set_weights(ticket.weights)
        return dataclasses.replace(self, inverted=True).find(
            model,
            trainer.dataset,
            ticket.density,
            seed,
            trainer,
            exclude=ticket.exclude,
            include=ticket.include,
        )

    def phases(
        self, density: float, epochs: int, num_examples: int, batch_size: int
    ) -> Sequence[tuple[float, float]]:
        if self.period is None:
            return super().phases(density, epochs, num_examples, batch_size)
        epochs = self.epochs or epochs
        num = (epochs - 1) // self.period
        # Scores that are frozen at zero cost nothing.
        frozen = [min(epoch // self.period, num) for epoch in range(epochs)]
        return [(num_examples, density ** (j / num)) for j in frozen]
