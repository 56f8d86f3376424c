"""Gem-Miner: connections whose scores survive freezing."""

import dataclasses

from rigl_tf import tensors
from rigl_tf.checks import check_choice
from rigl_tf.checks import check_number
from rigl_tf.tickets import choose
from rigl_tf.tickets import counts
from rigl_tf.tickets.rules import Rounded
from rigl_tf.tickets.scored import Scored


@dataclasses.dataclass(frozen=True)
class GemMiner(Scored):
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
        drop_low: Whether connections whose score is below one half in the end
            are dropped, too, but for the best of each layer with `keep_alive`.
            The density is then at most that asked for.
        inverted: Whether the highest scores are frozen: a sanity check, in
            which a good finder should do badly.

    Reference:
        [Sreenivasan et al., 2022](https://arxiv.org/abs/2202.12002),
        Algorithm 1.
    """

    regularization: float = 0.0
    norm: int = 2
    period: int = 5
    drop_low: bool = False
    inverted: bool = False

    def __post_init__(self):
        super().__post_init__()
        check_choice("norm", self.norm, (1, 2))
        check_number("regularization", self.regularization, "[0, inf)")

    def search(self, sparse, request):
        steps = counts.within_epochs(
            request.size,
            request.density,
            self._epochs(request),
            self.period,
        )
        rule = Rounded(self.regularization, self.norm)
        model = self.model(sparse, rule, request.seed)

        def highest(count, sign=1):
            ranked = {
                kernel.name: choose.only(
                    tensors.as_array(kernel.mask),
                    sign * tensors.as_array(kernel.variable),
                )
                for kernel in model.kernels
            }
            return choose.globally(ranked, count, self.keep_alive, request.seed)

        def freeze(count):
            model.set_masks(highest(count, -1 if self.inverted else 1))

        history = self.train(model, request, steps, self.period, freeze)
        masks = {k.name: tensors.as_array(k.mask) for k in model.kernels}
        if self.drop_low:
            high = round(model.current_density() * request.size)
            masks = highest(max(high, len(masks)))
        return self.ticket(model, masks, history)

    def phases(self, density, epochs, num_examples, batch_size):
        if self.period is None:
            return super().phases(density, epochs, num_examples, batch_size)
        epochs = self.epochs or epochs
        num = (epochs - 1) // self.period
        # Scores that are frozen at zero cost nothing any more.
        frozen = [min(epoch // self.period, num) for epoch in range(epochs)]
        return [(num_examples, density ** (j / num)) for j in frozen]
