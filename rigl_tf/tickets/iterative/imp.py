"""Iterative magnitude pruning."""

import dataclasses
import itertools
from collections.abc import Sequence

from rigl_tf.callbacks.sparsity_monitor import SparsityMonitor
from rigl_tf.modeling.sparse_model import SparseModel
from rigl_tf.tickets import optimizers
from rigl_tf.tickets.base import UNSUPPORTED_IF_PRUNED
from rigl_tf.tickets.base import SearchRequest
from rigl_tf.tickets.base import TicketFinder
from rigl_tf.tickets.model_state import get_weights
from rigl_tf.tickets.model_state import set_weights
from rigl_tf.tickets.search import mask_selection
from rigl_tf.tickets.search import pruning_counts
from rigl_tf.tickets.ticket import Ticket
from rigl_tf.utils import tensors
from rigl_tf.utils.validation import check_count
from rigl_tf.utils.validation import check_number

# The logs of a round that a ticket's history keeps.
_KEPT = ("loss", "accuracy", "val_loss", "val_accuracy", "flops")


@dataclasses.dataclass(frozen=True)
class IMP(TicketFinder):
    """Iterative magnitude pruning: trains, prunes and rewinds in rounds.

    Each round prunes the same fraction of the remaining connections of all
    layers together. The fraction is close to `rate`; it is chosen such that a
    whole number of rounds ends with exactly the requested density. Then all
    variables, including normalization, are reset to their initial values
    ("cold") or to their values after `rewind_step` steps ("warm"). The
    optimizer starts from its initial state.

    Frankle et al. continue from the rewound step with the optimizer state of
    that step. The authors of Rare Gems reset the optimizer, as this class
    does, and rewind weights but not moving averages.

    Args:
        rate: Float in [0.001, 1), the approximate fraction that a round prunes.
        epochs: Integer, the epochs of a round, or `None` for the epochs of the
            task ("long" IMP). In "short" rounds, the learning rate falls after
            the same fractions of the training.
        rewind_step: Integer, at least 0.

    Reference:
        [Frankle & Carbin, 2019](https://arxiv.org/abs/1803.03635);
        [Frankle et al., 2020](https://arxiv.org/abs/1912.05671), section 3.
    """

    rate: float = 0.2
    epochs: int | None = None
    rewind_step: int = 0

    keeps_weights = False  # after a round
    unsupported_checks = UNSUPPORTED_IF_PRUNED

    def __post_init__(self):
        check_count("rewind_step", self.rewind_step, least=0)
        check_count("epochs", self.epochs, optional=True)
        check_number("rate", self.rate, "[0.001, 1)")

    def search(self, sparse: SparseModel, request: SearchRequest) -> Ticket:
        size = request.size
        num = pruning_counts.num_rounds(request.density, self.rate)
        steps = pruning_counts.exponential(size, request.density, num)
        trainer, epochs = request.trainer, request.epochs(self)
        trainer.compile(
            sparse,
            optimizers.task_optimizer(trainer, epochs),
            self.rewind_step,
        )
        fresh = _values(sparse.optimizer.variables)
        if self.rewind_step:
            trainer(
                sparse,
                "search/0",
                f"Training for {self.rewind_step} steps, to rewind to",
                epochs=1,
                steps_per_epoch=self.rewind_step,
            )
        rewound = _values(sparse.variables)
        history = {"density": []}
        masks, weights, scores = {}, None, {}
        pairs = itertools.pairwise([size, *steps])
        for number, (kept, count) in enumerate(pairs, start=1):
            _assign(fresh)
            density = kept / size
            training = trainer(
                sparse,
                f"search/{number}",
                f"Round {number} of {num}, at a density of {density:.4f}",
                epochs,
                [SparsityMonitor()],
            )
            history["density"].append(density)
            for name in _KEPT:
                for value in training.history.get(name, [])[-1:]:
                    history.setdefault(name, []).append(value)
            masks, scores = self._prune(sparse, count, request.seed)
            trained = get_weights(sparse)
            _assign(rewound)
            if self.keeps_weights:
                set_weights(sparse, trained)
            weights = get_weights(sparse)  # including masked weights
            sparse.set_masks(masks)
        is_new = self.rewind_step > 0 or self.keeps_weights
        return Ticket(
            masks,
            weights=weights if is_new else None,
            scores=scores,
            history=history,
        )

    def _prune(self, sparse, count, seed):
        scores = {
            kernel.name: mask_selection.mask_scores(
                tensors.as_array(kernel.mask),
                abs(tensors.as_array(kernel.variable)),
            )
            for kernel in sparse.kernels
        }
        return mask_selection.global_top_k(
            scores, count, self.keep_alive, seed
        ), scores

    def num_epochs(self, density: float, epochs: int) -> int:
        return pruning_counts.num_rounds(density, self.rate) * (
            self.epochs or epochs
        )

    def phases(
        self, density: float, epochs: int, num_examples: int, batch_size: int
    ) -> Sequence[tuple[float, float]]:
        num = pruning_counts.num_rounds(density, self.rate)
        each = (self.epochs or epochs) * num_examples
        rounds = [(each, density ** (j / num)) for j in range(num)]
        if self.rewind_step:
            return [(self.rewind_step * batch_size, 1.0), *rounds]
        return rounds


@dataclasses.dataclass(frozen=True)
class LearningRateRewinding(IMP):
    """IMP that keeps the trained weights and rewinds only the learning rate.

    The weights of pruned connections are zero, so shuffled or inverted masks
    would select zeros.

    Reference:
        [Renda et al., 2020](https://arxiv.org/abs/2003.02389), section 3.
    """

    keeps_weights = True
    unsupported_checks = UNSUPPORTED_IF_PRUNED | {
        "shuffle": "the weights of connections that it pruned early are zero, "
        "so a shuffled mask would select zeros"
    }

    def __post_init__(self):
        super().__post_init__()
        if self.rewind_step:
            raise ValueError(
                "`rewind_step` must be 0: this finder does not rewind weights. "
                f"Received: rewind_step={self.rewind_step}. Use `IMP` instead."
            )

    def num_epochs(self, density: float, epochs: int) -> int:
        """Includes the training of the ticket, which gives the result."""
        return super().num_epochs(density, epochs) + epochs


def _values(variables):
    """Returns pairs of a variable and its value."""
    return [(v, tensors.as_array(v)) for v in variables]


def _assign(values):
    for variable, value in values:
        variable.assign(value)
