"""Smart ratios that are tuned by gradient."""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np

from rigl_tf.modeling import sparse_wrapper
from rigl_tf.tickets import optimizers
from rigl_tf.tickets.base import Finder
from rigl_tf.tickets.random.random_draw import RANDOM
from rigl_tf.tickets.random.random_draw import of_densities
from rigl_tf.tickets.random.smart_ratio import SmartRatio
from rigl_tf.tickets.search.score_model import ScoreModel
from rigl_tf.tickets.search.score_rules import Drawn
from rigl_tf.utils import tensors
from rigl_tf.utils.validation import check_count
from rigl_tf.utils.validation import check_function


@dataclasses.dataclass(frozen=True)
class SmartRatioTuned(Finder):
    """Trains one density a layer; every step draws other connections.

    Nothing keeps the density of all layers together while densities are
    trained: `Ticket.density` tells what it is in the end. Rare Gems calls this
    version 5 of smart ratios if it starts from version 2, and 6 from 4; the
    densities of its Table 16, 1.53 % and 1.47 %, have drifted from 1.44 %.

    Args:
        start: `SmartRatio` or `SmartRatioSearch`, for the first densities.
        epochs: Integer, or `None`: as many as the task takes.
        optimizer: Function of the number of steps to the optimizer of the
            densities, as in `rigl_tf.tickets.optimizers`. The gradient of a
            density is the sum of those of all connections.

    Reference:
        [Sreenivasan et al., 2022](https://arxiv.org/abs/2202.12002),
        equation 1.
    """

    start: Finder = SmartRatio()
    epochs: int | None = None
    optimizer: Callable = functools.partial(
        optimizers.sgd, learning_rate=1e-6, momentum=0.0
    )

    refused = RANDOM

    def __post_init__(self):
        if not isinstance(self.start, Finder):
            raise TypeError(
                "`start` must be a `SmartRatio` or a `SmartRatioSearch`. "
                f"Received: start={self.start!r}."
            )
        check_count("epochs", self.epochs, optional=True)
        check_function("optimizer", self.optimizer, "the number of steps")

    def search(self, sparse, request):
        kernels = sparse_wrapper.sparse_kernels(sparse)
        first = self.start.search(sparse, request)
        sparse.set_masks({k.name: np.ones(k.mask.shape, bool) for k in kernels})
        model = ScoreModel(
            sparse.network,
            Drawn([float(first.masks[k.name].mean()) for k in kernels]),
            request.seed,
        )
        epochs = request.epochs(self)
        num_steps = epochs * request.dataset.steps_per_epoch
        request.fit.compile(model, self.optimizer(num_steps))
        done = request.fit(
            model, "search/tuning", "The search: densities are trained", epochs
        )
        wanted = [float(tensors.as_array(score)) for score in model.scores]
        for kernel, density in zip(kernels, wanted, strict=True):
            if density == 0:
                raise ValueError(
                    f"The density of {kernel.name} went down to 0. Lower the "
                    "learning rate of `optimizer`."
                )
        ticket = of_densities(kernels, wanted, request.seed)
        return dataclasses.replace(ticket, history=done.history)

    def num_epochs(self, density, epochs):
        start = self.start.num_epochs(density, epochs)
        return start + (self.epochs or epochs)

    def phases(self, density, epochs, num_examples, batch_size):
        start = self.start.phases(density, epochs, num_examples, batch_size)
        return [*start, ((self.epochs or epochs) * num_examples, 1.0)]
