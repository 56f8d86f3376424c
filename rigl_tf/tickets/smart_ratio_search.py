"""Smart ratios around densities that are known to be good."""

import dataclasses

import numpy as np

from rigl_tf.checks import check_count
from rigl_tf.checks import check_number
from rigl_tf.tickets.base import Finder
from rigl_tf.tickets.random import of_densities


@dataclasses.dataclass(frozen=True)
class SmartRatioSearch(Finder):
    """Trains random tickets of several densities and keeps the best.

    Densities are drawn from a box around those that another method has found,
    such as IMP: the centre itself first. The best has the highest accuracy on
    the validation data; the authors choose on the test data. Rare Gems calls
    this version 4 of smart ratios.

    Args:
        centre: Dictionary from kernel to its density, such as `densities` of
            a run's record.
        radius: Float in [0, 1), how far each density may be off, relatively.
        num_trials: Integer.
        epochs: Integer, how long each is trained, or `None`: as long as the
            task takes.

    Reference:
        [Sreenivasan et al., 2022](https://arxiv.org/abs/2202.12002), appendix.
    """

    centre: dict
    radius: float = 0.2
    num_trials: int = 16
    epochs: int | None = None

    has_scores = False

    def __post_init__(self):
        for name, density in dict(self.centre).items():
            check_number(f"centre[{name!r}]", density, "(0, 1]")
        check_number("radius", self.radius, "[0, 1)")
        check_count("num_trials", self.num_trials)
        check_count("epochs", self.epochs, optional=True)

    def search(self, sparse, request):
        names = [kernel.name for kernel in sparse.kernels]
        if self.centre.keys() != set(names):
            raise ValueError(
                "`centre` must give a density for each of "
                f"{', '.join(names)}. Received: centre={self.centre!r}."
            )
        if request.dataset.validation is None:
            raise ValueError(
                "Densities are chosen on validation data, and the data set "
                f"{request.dataset.name!r} has none."
            )
        rng = np.random.default_rng(request.seed)
        factors = 1 + self.radius * rng.uniform(
            -1, 1, (self.num_trials, len(names))
        )
        factors[0] = 1  # the centre
        start = [v.numpy() for v in sparse.variables]
        tickets, accuracies = [], []
        for trial, factor in enumerate(factors):
            wanted = np.minimum(factor * [self.centre[n] for n in names], 1)
            ticket = of_densities(sparse.kernels, list(wanted), request)
            for variable, value in zip(sparse.variables, start, strict=True):
                variable.assign(value)
            sparse.set_masks(ticket.masks)
            request.fit.compile(sparse)
            done = request.fit(
                sparse,
                f"search/{trial}",
                f"Trial {trial + 1} of {self.num_trials}",
                self.epochs,
            )
            accuracies.append(done.history["val_accuracy"][-1])
            tickets.append(ticket)
        return dataclasses.replace(
            tickets[int(np.argmax(accuracies))],
            history={"val_accuracy": accuracies},
        )

    def num_epochs(self, density, epochs):
        del density
        return self.num_trials * (self.epochs or epochs)

    def phases(self, density, epochs, num_examples, batch_size):
        del batch_size
        return [(self.num_epochs(density, epochs) * num_examples, density)]
