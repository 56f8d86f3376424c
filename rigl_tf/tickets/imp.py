"""Iterative magnitude pruning."""

import dataclasses
import itertools

from rigl_tf import tensors
from rigl_tf.checks import check_count
from rigl_tf.checks import check_number
from rigl_tf.monitor import SparsityMonitor
from rigl_tf.tickets import choose
from rigl_tf.tickets import counts
from rigl_tf.tickets import optimizers
from rigl_tf.tickets.base import PRUNED
from rigl_tf.tickets.base import Finder
from rigl_tf.tickets.ticket import Ticket
from rigl_tf.tickets.ticket import get_weights
from rigl_tf.tickets.ticket import set_weights

# Of the logs of a round, in the history of a ticket.
_KEPT = ("loss", "accuracy", "val_loss", "val_accuracy", "flops")


@dataclasses.dataclass(frozen=True)
class IMP(Finder):
    """Trains, prunes the smallest weights and rewinds, round after round.

    Each round prunes the same fraction of what is left, of all layers
    together: about `rate`, so that a whole number of rounds ends with exactly
    the density asked for. Then all variables, those of normalization among
    them, go back to what they were at the beginning (cold) or after
    `rewind_step` steps (warm), and the optimizer begins anew.

    Frankle et al. go on from the rewound step with the state of the optimizer
    that it had then; the authors of Rare Gems begin the optimizer anew, as
    here, and rewind weights but not moving averages.

    Args:
        rate: Float in [0.001, 1), about what a round prunes.
        epochs: Integer, how long a round is trained, or `None`: as long as
            the task takes ("long" IMP). In "short" rounds, the learning rate
            falls after the same fractions of the training.
        rewind_step: Integer, at least 0.

    Reference:
        [Frankle & Carbin, 2019](https://arxiv.org/abs/1803.03635);
        [Frankle et al., 2020](https://arxiv.org/abs/1912.05671), section 3.
    """

    rate: float = 0.2
    epochs: int | None = None
    rewind_step: int = 0

    # What becomes of weights after a round.
    keeps_weights = False
    refused = PRUNED

    def __post_init__(self):
        check_count("rewind_step", self.rewind_step, least=0)
        check_count("epochs", self.epochs, optional=True)
        check_number("rate", self.rate, "[0.001, 1)")

    def search(self, sparse, request):
        size = request.size
        num = counts.rounds(request.density, self.rate)
        steps = counts.exponential(size, request.density, num)
        fit, epochs = request.fit, request.epochs(self)
        fit.compile(sparse, optimizers.of_task(fit, epochs))
        fresh = _values(sparse.optimizer.variables)
        if self.rewind_step:
            fit(
                sparse,
                "search/0",
                f"The first {self.rewind_step} steps, to rewind to",
                epochs=1,
                steps_per_epoch=self.rewind_step,
            )
        rewound = _values(sparse.variables)
        history = {"density": []}
        pairs = itertools.pairwise([size, *steps])
        for number, (kept, count) in enumerate(pairs, start=1):
            _assign(fresh)
            density = kept / size
            done = fit(
                sparse,
                f"search/{number}",
                f"Round {number} of {num}, at a density of {density:.4f}",
                epochs,
                [SparsityMonitor()],
            )
            history["density"].append(density)
            for name in _KEPT:
                for value in done.history.get(name, [])[-1:]:
                    history.setdefault(name, []).append(value)
            masks, scores = self._prune(sparse, count, request.seed)
            trained = get_weights(sparse)
            _assign(rewound)
            if self.keeps_weights:
                set_weights(sparse, trained)
            weights = get_weights(sparse)  # also those that are masked
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
            kernel.name: choose.only(
                tensors.as_array(kernel.mask),
                abs(tensors.as_array(kernel.variable)),
            )
            for kernel in sparse.kernels
        }
        return choose.globally(scores, count, self.keep_alive, seed), scores

    def num_epochs(self, density, epochs):
        return counts.rounds(density, self.rate) * (self.epochs or epochs)

    def phases(self, density, epochs, num_examples, batch_size):
        num = counts.rounds(density, self.rate)
        each = (self.epochs or epochs) * num_examples
        rounds = [(each, density ** (j / num)) for j in range(num)]
        if self.rewind_step:
            return [(self.rewind_step * batch_size, 1.0), *rounds]
        return rounds


@dataclasses.dataclass(frozen=True)
class LearningRateRewinding(IMP):
    """IMP that keeps trained weights and rewinds the learning rate alone.

    Weights are trained where earlier rounds have left a connection and zero
    elsewhere, so that masks that are shuffled or inverted meet zeros.

    Reference:
        [Renda et al., 2020](https://arxiv.org/abs/2003.02389), section 3.
    """

    keeps_weights = True
    refused = PRUNED | {
        "shuffle": "its weights are trained where it keeps connections and "
        "zero where it has pruned them early, so that other connections meet "
        "zeros"
    }

    def __post_init__(self):
        super().__post_init__()
        if self.rewind_step:
            raise ValueError(
                "Weights are not rewound here. "
                f"Received: rewind_step={self.rewind_step}."
            )

    def num_epochs(self, density, epochs):
        """With the training of the ticket: there is no result before it."""
        return super().num_epochs(density, epochs) + epochs


def _values(variables):
    """Pairs of variable and value."""
    return [(v, tensors.as_array(v)) for v in variables]


def _assign(values):
    for variable, value in values:
        variable.assign(value)
