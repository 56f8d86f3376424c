"""The base of all that find tickets."""

import abc
import contextlib
import dataclasses
import numbers
import re

import keras

from rigl_tf import tensors
from rigl_tf.algorithms import Static
from rigl_tf.datasets import Dataset
from rigl_tf.fitting import Fit
from rigl_tf.modeling import sparse_wrapper
from rigl_tf.modeling.convert import densify
from rigl_tf.modeling.convert import sparsify
from rigl_tf.tickets import counts
from rigl_tf.tickets.ticket import activate_all


@dataclasses.dataclass(frozen=True)
class Request:
    """What a finder is asked for.

    Attributes:
        dataset: `Dataset`.
        density: Float in (0, 1).
        size: Integer, connections of the dense network.
        count: Integer, connections to keep of them.
        seed: Integer.
        loss: Function of labels and outputs to a scalar.
        fit: `Fit`, the ordinary training of the task.
    """

    dataset: Dataset
    density: float
    size: int
    count: int
    seed: int
    loss: keras.losses.Loss
    fit: Fit


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finder(abc.ABC):
    """Finds a sparse network before it is trained.

    Args:
        keep_alive: Whether every layer keeps at least one connection. If not,
            and a layer would lose its last, that is an error.
    """

    keep_alive: bool = True

    # Whether tickets have scores, which can be inverted.
    has_scores = True

    def find(
        self,
        model,
        dataset,
        density,
        seed=0,
        fit=None,
        *,
        exclude=(),
        include=(),
    ):
        """Finds a ticket.

        Args:
            model: Built `keras.Model`, which is left alone. Its loss counts
                if it is compiled; else it is cross entropy with logits.
            dataset: `Dataset`. Only training examples are looked at, and
                those for validation if that is said of the finder.
            density: Float in (0, 1), the fraction of connections kept.
            seed: Integer; everything random follows it.
            fit: `Fit`, how the task trains. By default, as the model is
                compiled, for as many epochs as the finder says.
            exclude: Names of layers to keep dense, as for `sparsify`.
            include: Names of depthwise convolutions and embeddings to mask.

        Returns:
            `Ticket`.

        Raises:
            TypeError: If an argument is of the wrong kind.
            ValueError: If a value is out of range, the model has no layer to
                mask, or the ticket cannot be found in it.
        """
        if not isinstance(dataset, Dataset):
            raise TypeError(
                "`dataset` must be a `rigl_tf.datasets.Dataset`; "
                "`rigl_tf.datasets.from_arrays` makes one. "
                f"Received: dataset={dataset!r}."
            )
        if isinstance(seed, bool) or not isinstance(seed, numbers.Integral):
            raise ValueError(
                f"`seed` must be an integer. Received: seed={seed!r}."
            )
        if not isinstance(fit, Fit | None):
            raise TypeError(f"`fit` must be a `Fit`. Received: fit={fit!r}.")
        with _left_alone(model):
            activate_all(model)
            sparse = sparsify(
                model,
                Static(),
                sparsity=0.0,
                exclude=exclude,
                include=include,
                seed=seed,
            )
            _seed_dropout(sparse, seed)
            fit = fit or Fit.of(model, dataset, seed)
            # Functions have other addresses in other processes.
            purpose = re.sub(r" at 0x\w+", "", f"{self}, {density=}, {seed=}")
            fit = dataclasses.replace(fit, purpose=purpose)
            size = sum(kernel.size for kernel in sparse.kernels)
            request = Request(
                dataset=dataset,
                density=density,
                size=size,
                count=counts.total(size, density),
                seed=int(seed),
                loss=fit.loss,
                fit=fit,
            )
            ticket = self.search(sparse, request)
        return dataclasses.replace(ticket, exclude=exclude, include=include)

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
