"""The base class of ticket finders."""

import abc
import dataclasses
import numbers
import re
from collections.abc import Sequence
from typing import Any

import keras

from rigl_tf.algorithms import Static
from rigl_tf.datasets import Dataset
from rigl_tf.modeling.convert import sparsify
from rigl_tf.modeling.sparse_model import SparseModel
from rigl_tf.tickets import batches
from rigl_tf.tickets.batches import Batches
from rigl_tf.tickets.model_state import activate_all
from rigl_tf.tickets.model_state import left_alone
from rigl_tf.tickets.sanity import CHECKS
from rigl_tf.tickets.search import pruning_counts
from rigl_tf.tickets.ticket import Ticket
from rigl_tf.training.trainer import Trainer
from rigl_tf.typing import Names

# Checks that do not apply to finders that prune step by step, and why.
UNSUPPORTED_IF_PRUNED = {
    "invert": "the connections that it prunes during the search have no final "
    "score, so the lowest scores are unknown"
}


@dataclasses.dataclass(frozen=True)
class SearchRequest:
    """The input of a ticket search, besides the model.

    Attributes:
        dataset: `Dataset`, or `Batches` with the user's data.
        density: Float in (0, 1), the fraction of connections to keep.
        size: Integer, the number of connections in the dense network.
        count: Integer, the number of connections to keep.
        seed: Integer.
        trainer: `Trainer`, the ordinary training of the task.
    """

    dataset: Dataset | Batches
    density: float
    size: int
    count: int
    seed: int
    trainer: Trainer

    def epochs(self, finder: Any) -> int:
        """Returns the number of epochs that a finder trains for.

        This is `finder.epochs`, or the task's number of epochs if that is
        `None`.

        Raises:
            ValueError: If neither number is given.
        """
        epochs = finder.epochs or self.trainer.epochs
        if epochs is None:
            name = type(finder).__name__
            raise ValueError(
                f"`{name}` trains and needs a number of epochs. Received: "
                f"epochs=None. Pass `epochs`, for example `{name}(epochs=10)`."
            )
        return epochs


@dataclasses.dataclass(frozen=True, kw_only=True)
class TicketFinder(abc.ABC):
    """Base class of methods that find a sparse network before training.

    Args:
        keep_alive: Boolean, whether every layer keeps at least one connection.
            If `False`, a layer that would lose its last connection is an
            error.
    """

    keep_alive: bool = True

    # Sanity checks that do not apply: a dictionary from name to reason.
    unsupported_checks = {}

    def find(
        self,
        model: keras.Model,
        data: Any,
        density: float,
        seed: int = 0,
        trainer: Trainer | None = None,
        *,
        batch_size: int | None = None,
        validation_data: Any = None,
        exclude: Names = (),
        include: Names = (),
    ) -> Ticket:
        """Finds a ticket.

        Args:
            model: Built `keras.Model`. The search does not change it. It is
                trained and scored with its compiled loss. If the model is not
                compiled, the loss is the cross entropy that fits its last
                layer: a softmax, a sigmoid or, with integer labels, no
                activation.
            data: The training data, as `fit` takes them: `(x, y)` or
                `(x, y, sample_weight)`, where each is an array or a structure
                of arrays; a batched `tf.data.Dataset` of one epoch; a
                `keras.utils.PyDataset`; or a `rigl_tf.datasets.Dataset`.
                Arrays are shuffled with the seed; other data keep their order.
                A `tf.data.Dataset` of unknown length is read once to count
                its batches if the finder needs the count.
            density: Float in (0, 1), the fraction of connections to keep.
            seed: Integer. It determines everything random.
            trainer: `Trainer`, the training of the task. By default, training
                uses the model's compiled optimizer and loss, for the finder's
                `epochs`.
            batch_size: Integer, only for arrays; 32 by default.
            validation_data: Like `data`, or `None`. Some finders choose by
                validation data; others only record the metrics.
            exclude: Names of layers to keep dense, as for `sparsify`.
            include: Names of depthwise convolutions and embeddings to mask.

        Returns:
            `Ticket`.

        Raises:
            TypeError: If an argument has the wrong type.
            ValueError: If a value is out of range; the data are empty,
                endless, not batched or without labels; the loss is unknown or
                does not fit the labels; the model has no layer to mask; or
                the model has no such ticket.

        Example:

        >>> network = keras.Sequential(
        ...     [keras.Input((4,)), keras.layers.Dense(3, "softmax")])
        >>> x, y = np.random.normal(size=(64, 4)), np.arange(64) % 3
        >>> ticket = tickets.SNIP().find(network, (x, y), density=0.5)
        >>> ticket.density
        0.5
        >>> sparse = ticket.sparsify(network)
        >>> sparse.compile("adam", "sparse_categorical_crossentropy")
        >>> history = sparse.fit(x, y, verbose=0)
        """
        if isinstance(seed, bool) or not isinstance(seed, numbers.Integral):
            raise ValueError(
                f"`seed` must be an integer. Received: seed={seed!r}."
            )
        if not isinstance(trainer, Trainer | None):
            raise TypeError(
                f"`trainer` must be a `Trainer`. Received: trainer={trainer!r}."
            )
        dataset = batches.from_data(data, model, batch_size, validation_data)
        with left_alone(model):
            activate_all(model)
            # Wrappers hide the compiled arguments and the last layer.
            trainer = trainer or Trainer.from_model(model, dataset, seed)
            sparse = sparsify(
                model,
                Static(),
                sparsity=0.0,
                exclude=exclude,
                include=include,
                seed=seed,
            )
            _seed_dropout(sparse, seed)
            # The addresses of functions differ between processes.
            name = re.sub(r" at 0x\w+", "", str(self))
            fingerprint = f"{name}, {density=}, {seed=}"
            trainer = dataclasses.replace(trainer, fingerprint=fingerprint)
            size = sum(kernel.size for kernel in sparse.kernels)
            request = SearchRequest(
                dataset=dataset,
                density=density,
                size=size,
                count=pruning_counts.count_to_keep(size, density),
                seed=int(seed),
                trainer=trainer,
            )
            ticket = self.search(sparse, request)
        return dataclasses.replace(
            ticket,
            exclude=exclude,
            include=include,
            request={
                "finder": name,
                "density": float(density),
                "seed": int(seed),
            },
        )

    @abc.abstractmethod
    def search(self, sparse: SparseModel, request: SearchRequest) -> Ticket:
        """Finds a ticket in a sparse model.

        Args:
            sparse: `SparseModel` with dense masks, not compiled. The search
                may change it.
            request: `SearchRequest`.

        Returns:
            `Ticket`.
        """

    def apply_check(
        self,
        check: str,
        ticket: Ticket,
        model: keras.Model,
        seed: int,
        trainer: Trainer,
    ) -> Ticket:
        """Returns the modified ticket that a sanity check trains.

        Args:
            check: String, a key of `rigl_tf.tickets.CHECKS`.
            ticket: `Ticket` of this finder.
            model: New `keras.Model` of the same architecture.
            seed: Integer.
            trainer: `Trainer`, the training of the task, for checks that
                search again.

        Returns:
            `Ticket`.

        Raises:
            ValueError: If the check does not apply to tickets of this finder.
        """
        del trainer
        self.validate_check(check)
        return CHECKS[check](ticket, model, seed)

    def validate_check(self, check: str) -> None:
        """Raises a ValueError if a sanity check does not apply."""
        if check in self.unsupported_checks:
            raise ValueError(
                f"The sanity check {check!r} does not apply to "
                f"{type(self).__name__}: {self.unsupported_checks[check]}. "
                f"Leave {check!r} out of `checks`."
            )

    def num_epochs(self, density: float, epochs: int) -> int:
        """Returns the number of epochs that the search takes.

        Args:
            density: Float in (0, 1).
            epochs: Integer, epochs of the ordinary training of the task.

        Returns:
            Integer. A pass over a part of the data counts as one epoch.
        """
        del density, epochs
        return 1

    def phases(
        self, density: float, epochs: int, num_examples: int, batch_size: int
    ) -> Sequence[tuple[float, float]]:
        """Returns training phases that cost as much as the search.

        Training on one example costs three times the FLOPs of a forward pass.
        A derivative costs twice the FLOPs of its function, so the gradient of
        a gradient costs as much as training on three examples.

        Args:
            density: Float in (0, 1), the density of the ticket.
            epochs: Integer, epochs of the ordinary training of the task.
            num_examples: Integer, training examples in an epoch.
            batch_size: Integer.

        Returns:
            List of pairs, one for each phase: the number of examples, and the
            density of the network. By default, the network is dense for all
            epochs of the search, because a trained score has a gradient
            whether its connection is selected or not. If the network trains
            sparse, the ticket's `history` may have the measured `"flops"` of
            a forward pass, relative to the dense network: one value for each
            phase, or for the last phases.
        """
        return [(self.num_epochs(density, epochs) * num_examples, 1.0)]


def _seed_dropout(sparse, seed):
    """Seeds the random states of all layers."""
    known = [*sparse.network.weights, *(k.mask for k in sparse.kernels)]
    known = {id(variable) for variable in known}
    states = [v for v in sparse.network.variables if id(v) not in known]
    for i, state in enumerate(states):
        state.assign([seed % 2**31, i])
