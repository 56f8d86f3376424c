"""A search for smart ratios around known good densities."""

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np

from rigl_tf.modeling.sparse_model import SparseModel
from rigl_tf.tickets import optimizers
from rigl_tf.tickets.base import SearchRequest
from rigl_tf.tickets.base import TicketFinder
from rigl_tf.tickets.random.random_draw import UNSUPPORTED_IF_RANDOM
from rigl_tf.tickets.random.random_draw import ticket_from_densities
from rigl_tf.tickets.search.pruning_counts import scale_densities
from rigl_tf.tickets.ticket import Ticket
from rigl_tf.utils.validation import check_count
from rigl_tf.utils.validation import check_number


@dataclasses.dataclass(frozen=True)
class SmartRatioSearch(TicketFinder):
    """Trains random tickets of several densities and keeps the best.

    The search tries the layer densities of another method, such as IMP, scaled
    to the requested density, and all combinations of `tilts` applied to them.
    Tilted densities are not scaled again; `Ticket.density` has the density of
    the best ticket. Rare Gems calls this version 4 of smart ratios.

    The best ticket has the highest validation accuracy, or the lowest
    validation loss if the model has no accuracy. Without validation data, a
    tenth of the training data is held out for the choice, as the authors do
    for tuning; the authors choose these densities on the test data.

    Args:
        centre: Dictionary from kernel name to density, in the order of the
            kernels, such as `densities` of a run's record.
        tilts: Tuple of triples `(layers, step, shifts)`: positions of layers
            in `centre`, a float, and integers. A shift k adds `step` to the
            density of the first k of these layers and subtracts it from the
            last k. A negative shift does the opposite.
        num_trials: Integer, the maximum number of combinations: the centre,
            and others at random.
        epochs: Integer, the epochs of each trial, or `None` for the epochs of
            the task.

    Example:
        >>> finder = SmartRatioSearch(
        ...     {"a": 0.5, "b": 0.25, "c": 0.25},
        ...     tilts=(((0, 2), 0.125, (-1, 0, 1)),),
        ... )
        >>> finder.patterns([0.5, 0.25, 0.25]).tolist()
        [[0.5, 0.25, 0.25], [0.375, 0.25, 0.375], [0.625, 0.25, 0.125]]

    Reference:
        [Sreenivasan et al., 2022](https://arxiv.org/abs/2202.12002), appendix.
    """

    centre: dict
    tilts: tuple = ()
    num_trials: int = 144
    epochs: int | None = None

    unsupported_checks = UNSUPPORTED_IF_RANDOM

    def __post_init__(self):
        for name, density in dict(self.centre).items():
            check_number(f"centre[{name!r}]", density, "(0, 1]")
        for layers, step, shifts in self.tilts:
            check_number("step", step, "(0, 1)")
            most = len(layers) // 2
            if not all(-most <= shift <= most for shift in shifts):
                raise ValueError(
                    f"`shifts` of {len(layers)} layers must be from {-most} to "
                    f"{most}. Received: shifts={shifts!r}."
                )
            if not all(layer in range(len(self.centre)) for layer in layers):
                raise ValueError(
                    "`layers` in `tilts` must be positions in `centre`, from 0 "
                    f"to {len(self.centre) - 1}. Received: layers={layers!r}."
                )
        check_count("num_trials", self.num_trials)
        check_count("epochs", self.epochs, optional=True)

    def patterns(self, centre: Sequence[float], seed: int = 0) -> np.ndarray:
        """Returns the densities to try.

        Args:
            centre: List of floats.
            seed: Integer, for the choice among too many combinations.

        Returns:
            Array of shape (trials, layers), the centre first.

        Raises:
            ValueError: If a density is 0 or less.
        """
        tilted = []
        for shifts in itertools.product(*(tilt[2] for tilt in self.tilts)):
            pattern = np.array(centre, float)
            for (layers, step, _), shift in zip(
                self.tilts, shifts, strict=True
            ):
                num, amount = abs(shift), np.copysign(step, shift)
                pattern[list(layers[:num])] += amount
                pattern[list(layers[len(layers) - num :])] -= amount
            if any(shifts):
                tilted.append(np.minimum(pattern, 1))
        if tilted and np.min(tilted) <= 0:
            raise ValueError(
                "`tilts` must leave every layer a density above 0. Received: "
                f"tilts={self.tilts!r}. Lower the steps."
            )
        if len(tilted) >= self.num_trials:
            rng = np.random.default_rng(seed % 2**64)
            some = rng.permutation(len(tilted))[: self.num_trials - 1]
            tilted = [tilted[i] for i in sorted(some)]
        return np.array([centre, *tilted])

    def search(self, sparse: SparseModel, request: SearchRequest) -> Ticket:
        names = [kernel.name for kernel in sparse.kernels]
        if list(self.centre) != names:
            raise ValueError(
                "`centre` must have a density for each of "
                f"{', '.join(names)}, in this order. "
                f"Received: centre={self.centre!r}."
            )
        trainer, epochs = request.trainer, request.epochs(self)
        trainer = dataclasses.replace(
            trainer, dataset=_with_validation(request.dataset)
        )
        centre = scale_densities(
            list(self.centre.values()),
            [kernel.size for kernel in sparse.kernels],
            request.density,
        )
        patterns = self.patterns(centre, request.seed)
        start = [v.numpy() for v in sparse.variables]

        def restart():
            for variable, value in zip(sparse.variables, start, strict=True):
                variable.assign(value)

        tickets, results = [], []
        name, sign = "val_accuracy", 1
        for trial, pattern in enumerate(patterns):
            ticket = ticket_from_densities(
                sparse.kernels, pattern, request.seed
            )
            restart()
            sparse.set_masks(ticket.masks)
            trainer.compile(sparse, optimizers.task_optimizer(trainer, epochs))
            training = trainer(
                sparse,
                f"search/{trial}",
                f"Trial {trial + 1} of {len(patterns)}",
                epochs,
            )
            if name not in training.history:
                name, sign = "val_loss", -1
            results.append(training.history[name][-1])
            tickets.append(ticket)
        restart()
        values = np.nan_to_num(sign * np.array(results), nan=-np.inf)
        return dataclasses.replace(
            tickets[int(np.argmax(values))],
            history={name: results},
        )

    def num_epochs(self, density: float, epochs: int) -> int:
        del density
        shifts = [shifts for _, _, shifts in self.tilts]
        unchanged = math.prod(each.count(0) for each in shifts)
        num = 1 + math.prod(map(len, shifts)) - unchanged  # 1 for the centre
        return min(num, self.num_trials) * (self.epochs or epochs)

    def phases(
        self, density: float, epochs: int, num_examples: int, batch_size: int
    ) -> Sequence[tuple[float, float]]:
        del batch_size
        return [(self.num_epochs(density, epochs) * num_examples, density)]


def _with_validation(dataset):
    """Holds out a tenth of a data set that has no validation data."""
    if dataset.validation is not None:
        return dataset
    if dataset.hold_out is None:
        raise ValueError(
            "The search chooses densities on validation data. The data set "
            f"{dataset.name!r} has no validation data and cannot be split. "
            "Received: validation_data=None. Pass `validation_data`."
        )
    return dataset.hold_out(max(dataset.num_train // 10, 1))
