"""Methods that make a network sparse, for comparisons."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable
from collections.abc import Sequence

import keras
import numpy as np

from rigl_tf import results
from rigl_tf import tickets
from rigl_tf.algorithms import Algorithm
from rigl_tf.experiments.run_model import load_model
from rigl_tf.modeling.arguments import as_algorithm
from rigl_tf.modeling.convert import sparsify
from rigl_tf.modeling.grow_init import GrowInit
from rigl_tf.modeling.sparse_model import SparseModel
from rigl_tf.models import small_dense
from rigl_tf.sparsity import distributions
from rigl_tf.sparsity import schedules
from rigl_tf.sparsity.structures import Structure
from rigl_tf.sparsity.structures import Unstructured
from rigl_tf.tickets.ticket import Ticket
from rigl_tf.training.longer_training import scale_schedule
from rigl_tf.training.trainer import Trainer
from rigl_tf.typing import Distribution
from rigl_tf.typing import Schedule
from rigl_tf.utils.validation import check_choice
from rigl_tf.utils.validation import check_function
from rigl_tf.utils.validation import check_number


@dataclasses.dataclass(frozen=True)
class Method:
    """A sparse-training method: the arguments of `sparsify`.

    Attributes:
        name: String, for records and directories.
        algorithm: `Algorithm`.
        sparsity: Float in [0, 1), the fraction of zeros in the end. How it
            rises is the `sparsity_schedule` of the algorithm.
        distribution: Function of `rigl_tf.distributions`, or its name.
        schedule: `UpdateSchedule`.
        drop_fraction: Function from step to fraction.
        exclude: Names of layers to keep dense.
        include: Names of depthwise convolutions and embeddings to mask.
        structure: A structure of `rigl_tf.structures`.
        grow_init: `GrowInit`.
        storage: String or dictionary, the storage of kernels as for
            `sparsify`.
        source: Directory of a finished sparse run of the same task to start
            from, or `None`.
        reuse: String, the part of the source to reuse: its final `"masks"`, or
            the final `"densities"` of its kernels for new random masks.

    Example:

    >>> method = rigl_tf.experiments.Method(
    ...     "rigl", rigl_tf.algorithms.RigL(), sparsity=0.9)
    >>> method.schedule.interval
    100
    """

    name: str
    algorithm: Algorithm
    sparsity: float
    distribution: str | Distribution = distributions.erdos_renyi_kernel
    schedule: schedules.UpdateSchedule = schedules.UpdateSchedule()
    drop_fraction: Schedule = schedules.Cosine()
    exclude: tuple = ()
    include: tuple = ()
    structure: Structure = Unstructured()
    grow_init: GrowInit = GrowInit()
    storage: str | dict = "dense"
    source: str | None = None
    reuse: str = "masks"

    def __post_init__(self):
        algorithm = as_algorithm(self.algorithm)
        object.__setattr__(self, "algorithm", algorithm)
        check_choice("reuse", self.reuse, ("masks", "densities"))
        check_number("sparsity", self.sparsity, "[0, 1)")

    def build(
        self, network: keras.Model, seed: int, training_multiplier: float = 1
    ) -> SparseModel:
        """Returns the sparse model of a network, with scaled schedules."""
        distribution = self.distribution
        if self.source is not None:
            record = results.read(pathlib.Path(self.source) / results.RECORD)
            if record.sparsity != self.sparsity:
                raise ValueError(
                    f"`sparsity` must be {record.sparsity}, the sparsity of "
                    f"the run in {self.source}. "
                    f"Received: sparsity={self.sparsity}."
                )
            distribution = functools.partial(
                distributions.uniform,
                custom={n: 1 - d for n, d in record.densities.items()},
            )
        model = sparsify(
            network,
            self.algorithm,
            sparsity=self.sparsity,
            distribution=distribution,
            schedule=scale_schedule(self.schedule, training_multiplier),
            drop_fraction=scale_schedule(
                self.drop_fraction, training_multiplier
            ),
            exclude=self.exclude,
            include=self.include,
            structure=self.structure,
            grow_init=self.grow_init,
            storage=self.storage,
            seed=seed,
        )
        if self.source is not None and self.reuse == "masks":
            other = load_model(self.source)
            model.set_masks({k.name: np.array(k.mask) for k in other.kernels})
        return model


@dataclasses.dataclass(frozen=True)
class SmallDense:
    """A dense network with fewer channels.

    Attributes:
        name: String, for records and directories.
        sparsity: Float in [0, 1). The network has about as many weights as a
            sparse network with this sparsity.
        rounding: `None` or a string: see `rigl_tf.models.small_dense`.
        multiples: Dictionary or `None`: see `rigl_tf.models.small_dense`.
    """

    name: str
    sparsity: float
    rounding: str | None = None
    multiples: dict | None = None

    def __post_init__(self):
        check_number("sparsity", self.sparsity, "[0, 1)")

    def build(
        self, network: keras.Model, seed: int, training_multiplier: float = 1
    ) -> keras.Model:
        """Returns the network with fewer channels."""
        del seed, training_multiplier
        return small_dense(
            network, self.sparsity, self.rounding, self.multiples
        )


@dataclasses.dataclass(frozen=True)
class TicketMethod:
    """A sparse network that is first found and then trained.

    Attributes:
        name: String, for records and directories.
        finder: `TicketFinder` of `rigl_tf.tickets`.
        sparsity: Float in (0, 1), the fraction of zeros.
        exclude: Names of layers to keep dense.
        include: Names of depthwise convolutions and embeddings to mask.
        optimizer: Function from the number of steps to the optimizer that
            trains the ticket, such as
            `rigl_tf.tickets.optimizers.multi_step`, or `None` for the
            optimizer of the task.
        checks: Names of sanity checks, keys of `rigl_tf.tickets.CHECKS`. Each
            check changes the ticket and trains it once more.
    """

    name: str
    finder: tickets.TicketFinder
    sparsity: float
    exclude: tuple = ()
    include: tuple = ()
    optimizer: Callable | None = None
    checks: tuple = ()

    def __post_init__(self):
        if not isinstance(self.finder, tickets.TicketFinder):
            raise TypeError(
                "`finder` must be a `TicketFinder` of `rigl_tf.tickets`, such "
                f"as `SNIP()`. Received: finder={self.finder!r}."
            )
        check_number("sparsity", self.sparsity, "(0, 1)")
        if self.optimizer is not None:
            check_function("optimizer", self.optimizer, "the number of steps")
        if not isinstance(self.checks, list | tuple):
            raise TypeError(
                "`checks` must be a list of names. "
                f"Received: checks={self.checks!r}."
            )
        for check in self.checks:
            check_choice("checks", check, tickets.CHECKS)
            self.finder.validate_check(check)

    def num_epochs(self, epochs: int) -> int:
        """Returns the epochs of the search for a training of `epochs`."""
        return self.finder.num_epochs(self._density, epochs)

    def phases(
        self, epochs: int, num_examples: int, batch_size: int
    ) -> Sequence[tuple[float, float]]:
        """Returns the phases of the search; see `TicketFinder.phases`."""
        return self.finder.phases(
            self._density, epochs, num_examples, batch_size
        )

    @property
    def _density(self):
        return round(1 - self.sparsity, 12)

    def compile_ticket(
        self, ticket: Ticket, network: keras.Model, seed: int, trainer: Trainer
    ) -> SparseModel:
        """Returns the compiled model of a ticket."""
        num_steps = (trainer.epochs or 0) * trainer.dataset.steps_per_epoch
        optimizer = self.optimizer and self.optimizer(num_steps)
        return trainer.compile(ticket.sparsify(network, seed), optimizer)

    def find(self, network: keras.Model, seed: int, trainer: Trainer) -> Ticket:
        """Searches a network and returns the `Ticket`."""
        ticket = self.finder.find(
            network,
            trainer.dataset,
            self._density,
            seed,
            trainer,
            exclude=self.exclude,
            include=self.include,
        )
        if self.checks and ticket.weights is None:
            # Checks start with the same weights in another network.
            weights = network.get_weights()
            ticket = dataclasses.replace(ticket, weights=weights)
        return ticket
