"""The base of all that find tickets."""

import abc
import contextlib
import dataclasses
import numbers
import re

from rigl_tf import tensors
from rigl_tf.algorithms import Static
from rigl_tf.datasets import Dataset
from rigl_tf.fitting import Fit
from rigl_tf.modeling import sparse_wrapper
from rigl_tf.modeling.convert import densify
from rigl_tf.modeling.convert import sparsify
from rigl_tf.tickets import batches
from rigl_tf.tickets import counts
from rigl_tf.tickets.batches import Batches
from rigl_tf.tickets.sanity import CHECKS
from rigl_tf.tickets.ticket import activate_all

# Why tickets of finders that prune step by step cannot be checked.
PRUNED = {
    "invert": "connections that it prunes on the way have no score in the "
    "end, so that the lowest scores cannot be told"
}


@dataclasses.dataclass(frozen=True)
class Request:
    """What a finder is asked for.

    Attributes:
        dataset: `Dataset`, or `Batches` of a user's data.
        density: Float in (0, 1).
        size: Integer, connections of the dense network.
        count: Integer, connections to keep of them.
        seed: Integer.
        fit: `Fit`, the ordinary training of the task.
    """

    dataset: Dataset | Batches
    density: float
    size: int
    count: int
    seed: int
    fit: Fit

    def epochs(self, finder):
        """Integer, how long a finder trains: as it says, or as the task.

        Raises:
            ValueError: If neither is said.
        """
        epochs = finder.epochs or self.fit.epochs
        if epochs is None:
            name = type(finder).__name__
            raise ValueError(
                f"`{name}` trains, and has to be told for how long. Pass "
                f"`epochs`, for example `{name}(epochs=10)`."
            )
        return epochs


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finder(abc.ABC):
    """Finds a sparse network before it is trained.

    Args:
        keep_alive: Whether every layer keeps at least one connection. If not,
            and a layer would lose its last, that is an error.
    """

    keep_alive: bool = True

    # Why tickets cannot be checked: a dictionary from check to reason.
    refused = {}

    def find(
        self,
        model,
        data,
        density,
        seed=0,
        fit=None,
        *,
        batch_size=None,
        validation_data=None,
        exclude=(),
        include=(),
    ):
        """Finds a ticket.

        Args:
            model: Built `keras.Model`, which is left alone. It is trained and
                scored with the loss that it is compiled with. If it is not
                compiled, that is the cross entropy of a last layer with a
                softmax, a sigmoid or, of integer labels, no activation.
            data: What `fit` takes to train on: `(x, y)` or
                `(x, y, sample_weight)`, where each is an array or a structure
                of arrays; a batched `tf.data.Dataset` of one epoch; a
                `keras.utils.PyDataset`; or a `rigl_tf.datasets.Dataset`.
                Arrays are shuffled by the seed, others keep to their order.
                A `tf.data.Dataset` of unknown length is read once to count
                its batches, if a finder has to know.
            density: Float in (0, 1), the fraction of connections kept.
            seed: Integer; everything random follows it.
            fit: `Fit`, how the task trains. By default, as the model is
                compiled, for as many epochs as the finder says.
            batch_size: Integer, for arrays; by default 32.
            validation_data: Like `data`, for finders that choose by it and
                for the history of others, or `None`.
            exclude: Names of layers to keep dense, as for `sparsify`.
            include: Names of depthwise convolutions and embeddings to mask.

        Returns:
            `Ticket`.

        Raises:
            TypeError: If an argument is of the wrong kind.
            ValueError: If a value is out of range, data are empty, endless,
                not in batches or without labels, the loss is not known or not
                one of such labels, the model has no layer to mask, or the
                ticket cannot be found in it.

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
        if not isinstance(fit, Fit | None):
            raise TypeError(f"`fit` must be a `Fit`. Received: fit={fit!r}.")
        dataset = batches.of(data, model, batch_size, validation_data)
        with _left_alone(model):
            activate_all(model)
            # Before wrappers hide what the model is like.
            fit = fit or Fit.of(model, dataset, seed)
            sparse = sparsify(
                model,
                Static(),
                sparsity=0.0,
                exclude=exclude,
                include=include,
                seed=seed,
            )
            _seed_dropout(sparse, seed)
            # Functions have other addresses in other processes.
            name = re.sub(r" at 0x\w+", "", str(self))
            purpose = f"{name}, {density=}, {seed=}"
            fit = dataclasses.replace(fit, purpose=purpose)
            size = sum(kernel.size for kernel in sparse.kernels)
            request = Request(
                dataset=dataset,
                density=density,
                size=size,
                count=counts.total(size, density),
                seed=int(seed),
                fit=fit,
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
    def search(self, sparse, request):
        """Finds a ticket in a network.

        Args:
            sparse: `SparseModel` with dense masks, not compiled, which
                may be changed.
            request: `Request`.

        Returns:
            `Ticket`.
        """

    def spoil(self, check, ticket, model, seed, fit):
        """Returns the ticket that a sanity check has in the place of one.

        Args:
            check: String, a key of `rigl_tf.tickets.CHECKS`.
            ticket: `Ticket` of this finder.
            model: `keras.Model` of the same architecture that was made anew.
            seed: Integer.
            fit: `Fit`, how the task trains, for checks that search again.

        Returns:
            `Ticket`.

        Raises:
            ValueError: If the check does not apply to such tickets.
        """
        del fit
        self.check_applies(check)
        return CHECKS[check](ticket, model, seed)

    def check_applies(self, check):
        """Raises a ValueError if a sanity check cannot apply to tickets."""
        if check in self.refused:
            raise ValueError(
                f"{type(self).__name__} cannot be checked by {check!r}: "
                f"{self.refused[check]}. Leave {check!r} out of `checks`."
            )

    def num_epochs(self, density, epochs):
        """Epochs that it takes to find a ticket.

        Args:
            density: Float in (0, 1).
            epochs: Integer, epochs of the ordinary training of the task.

        Returns:
            Integer; passes over a part of the data count as one.
        """
        del density, epochs
        return 1

    def phases(self, density, epochs, num_examples, batch_size):
        """Returns pieces of training that cost as much as the search.

        In training, every example costs three times the FLOPs of a forward
        pass. A derivative costs twice the FLOPs of the function, so that the
        gradient of a gradient costs as much as training on three examples.

        Args:
            density: Float in (0, 1), of the ticket.
            epochs: Integer, epochs of the ordinary training of the task.
            num_examples: Integer, training examples in an epoch.
            batch_size: Integer.

        Returns:
            List of pairs: how many examples a piece takes, and the density of
            the network in it. By default, the network is dense for as many
            epochs as the search has: a score that is trained has a gradient
            whether its connection counts or not. Where the network trains
            sparse, the ticket's `history` may have the measured `"flops"` of
            a forward pass, relative to the dense network: one for each piece,
            or for the last ones.
        """
        return [(self.num_epochs(density, epochs) * num_examples, 1.0)]


@contextlib.contextmanager
def _left_alone(model):
    """Puts a model back as it was before the context."""
    was_sparse = bool(sparse_wrapper.sparse_layers(model))
    before = [
        (variable, tensors.as_array(variable), variable.trainable)
        for variable in model.variables
    ]
    try:
        yield
    finally:
        if not was_sparse:
            densify(model)
        for variable, value, trainable in before:
            variable.assign(value)
            variable.trainable = trainable


def _seed_dropout(sparse, seed):
    """Lets the random states inside of layers follow a seed."""
    known = [*sparse.network.weights, *(k.mask for k in sparse.kernels)]
    known = {id(variable) for variable in known}
    states = [v for v in sparse.network.variables if id(v) not in known]
    for i, state in enumerate(states):
        state.assign([seed % 2**31, i])
