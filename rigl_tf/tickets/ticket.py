"""The result of a ticket search."""

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from rigl_tf.algorithms import Algorithm
from rigl_tf.algorithms import Static
from rigl_tf.modeling import sparse_wrapper
from rigl_tf.modeling.arguments import as_algorithm
from rigl_tf.modeling.convert import densify
from rigl_tf.modeling.convert import sparsify
from rigl_tf.modeling.sparse_model import SparseModel
from rigl_tf.tickets import ticket_file
from rigl_tf.tickets.model_state import activate_all
from rigl_tf.tickets.model_state import get_weights
from rigl_tf.tickets.model_state import left_alone
from rigl_tf.tickets.model_state import plain_weights
from rigl_tf.tickets.model_state import restored_after_an_error
from rigl_tf.tickets.model_state import set_weights
from rigl_tf.typing import PathLike


@dataclasses.dataclass(frozen=True, eq=False)
class Ticket:
    """A sparse network to train.

    Attributes:
        masks: Dictionary from kernel name, as in `SparseModel.kernels`, to a
            boolean array of the kernel's shape.
        weights: List of arrays as `model.get_weights()` returns them, or
            `None` for the model's own initial weights.
        scores: Dictionary from kernel name to an array of floats, or `None`
            if the finder has no scores. The finder prefers higher scores.
        history: Dictionary from metric name to a list of floats, one for each
            epoch or round of the search.
        signed_constant: Boolean, whether all weights of a kernel have the same
            absolute value.
        exclude: Names of layers that stay dense, as for `sparsify`.
        include: Names of layers that are masked only on request.
        request: Dictionary with the arguments of the search: the `finder` as a
            string, `density` and `seed`. Empty if no finder made the ticket.
    """

    masks: dict
    weights: list | None = None
    scores: dict | None = None
    history: dict = dataclasses.field(default_factory=dict)
    signed_constant: bool = False
    exclude: tuple = ()
    include: tuple = ()
    request: dict = dataclasses.field(default_factory=dict)

    @property
    def density(self) -> float:
        """Float, the fraction of connections kept."""
        masks = self.masks.values()
        kept = sum(np.count_nonzero(mask) for mask in masks)
        return float(kept / sum(mask.size for mask in masks))

    def sparsify(
        self,
        model: keras.Model,
        seed: int = 0,
        *,
        algorithm: str | Algorithm | type[Algorithm] = "static",
        **arguments: Any,
    ) -> SparseModel:
        """Returns a sparse model with the ticket's masks and weights.

        Args:
            model: `keras.Model` of the architecture that the ticket was found
                in. It becomes sparse in place, as with `rigl_tf.sparsify`.
            seed: Integer.
            algorithm: The algorithm to train with, as for `rigl_tf.sparsify`.
                By default, masks stay fixed.
            **arguments: Further arguments of `rigl_tf.sparsify`, such as
                `schedule` and `storage`; not `masks`, `exclude` and
                `include`, which the ticket has. An algorithm whose sparsity
                changes, such as gradual pruning, needs `sparsity`; others keep
                that of the ticket.

        Returns:
            `SparseModel`. Compile it next.

        Raises:
            TypeError: If an argument has the wrong type.
            ValueError: If the ticket belongs to another architecture, or an
                argument is out of range. The model is then as it was before.

        Example:

        >>> ticket = tickets.Magnitude().find(network, (x, y), density=0.5)
        >>> sparse = ticket.sparsify(network, algorithm="rigl", schedule=2)
        >>> rigl_tf.summary(sparse).sparsity
        0.5
        """
        algorithm = as_algorithm(algorithm)
        _check_arguments(algorithm, arguments)
        was_sparse = bool(sparse_wrapper.sparse_layers(model))
        with restored_after_an_error(model):
            sparse = self._all_active(model, seed)
            masks = self._masks_for(sparse)
            self._check_weights(sparse)
            if self.weights is not None:
                set_weights(sparse, self.weights)
            if algorithm == Static() and not arguments:
                sparse.set_masks(masks)
                return sparse
            if not was_sparse:
                densify(model)
            return sparsify(
                model,
                algorithm,
                exclude=self.exclude,
                include=self.include,
                masks=masks,
                seed=seed,
                **{"sparsity": 0.0, **arguments},
            )

    def kernels_for(self, sparse: SparseModel) -> dict[str, np.ndarray]:
        """Returns the ticket's kernels, with zeros, for a sparse model.

        Args:
            sparse: `SparseModel` with a kernel for each mask of the ticket.

        Returns:
            Dictionary from the name of a kernel in `sparse` to an array.

        Raises:
            ValueError: If the ticket belongs to another architecture.
        """
        masks = self._masks_for(sparse)
        self._check_weights(sparse)
        weights = self.weights or get_weights(sparse)
        by_id = {
            id(variable): value
            for variable, value in zip(
                plain_weights(sparse), weights, strict=True
            )
        }
        return {
            kernel.name: by_id[id(kernel.variable)] * masks[kernel.name]
            for kernel in sparse.kernels
        }

    @contextlib.contextmanager
    def all_active_in(self, model: keras.Model) -> Iterator[SparseModel]:
        """Makes a model sparse, with all connections active, in a context."""
        with left_alone(model):
            yield self._all_active(model, 0)

    def _all_active(self, model, seed):
        """Makes the layers of the ticket sparse; every connection is active."""
        activate_all(model)
        return sparsify(
            model,
            Static(),
            sparsity=0.0,
            exclude=self.exclude,
            include=self.include,
            seed=seed,
        )

    def save(self, path: PathLike) -> None:
        """Saves the ticket to a file that `rigl_tf.tickets.load` reads.

        Args:
            path: Path of the file, such as `"ticket.npz"`. It is a NumPy
                archive with JSON inside. Loading it runs no code.

        Raises:
            OSError: If the file cannot be written.
            ValueError: If `exclude` or `include` have entries that are not
                names.

        Example:

        >>> network = keras.Sequential([keras.Input((4,)),
        ...                             keras.layers.Dense(3, name="head")])
        >>> data = np.ones((8, 4)), np.arange(8) % 3
        >>> tickets.Magnitude().find(network, data, 0.5).save("ticket.npz")
        >>> ticket = tickets.load("ticket.npz")
        >>> ticket.request["density"]
        0.5
        >>> int(ticket.sparsify(network).kernels[0].count())
        6
        """
        groups = {
            "masks": self.masks,
            "scores": self.scores,
            "weights": self.weights and dict(enumerate(self.weights)),
        }
        ticket_file.write(
            path,
            {
                "names": {
                    group: None if arrays is None else list(map(str, arrays))
                    for group, arrays in groups.items()
                },
                "history": {
                    name: list(map(float, values))
                    for name, values in self.history.items()
                },
                "signed_constant": self.signed_constant,
                "exclude": _names("exclude", self.exclude),
                "include": _names("include", self.include),
                "request": self.request,
            },
            {
                f"{group}/{name}": np.asarray(array)
                for group, arrays in groups.items()
                for name, array in (arrays or {}).items()
            },
        )

    def _check_weights(self, sparse):
        """Raises a ValueError if the ticket's weights do not fit the model."""
        if self.weights is None:
            return
        variables = [(v.path, tuple(v.shape)) for v in plain_weights(sparse)]
        if len(variables) != len(self.weights):
            raise ValueError(
                "The ticket and the model must have the same architecture. "
                f"Received: a ticket with {len(self.weights)} weights for "
                f"{sparse.name!r} with {len(variables)} weights."
            )
        differences = [
            f"{name}: {array.shape} and {shape}"
            for (name, shape), array in zip(
                variables, self.weights, strict=True
            )
            if array.shape != shape
        ]
        if differences:
            _refuse_architecture(sparse, differences)

    def _masks_for(self, sparse):
        """Returns the masks with the kernel names of the given model.

        Keras numbers layers, so another model may have other names.
        """
        shapes = {k.name: tuple(k.mask.shape) for k in sparse.kernels}
        own = {name: mask.shape for name, mask in self.masks.items()}
        if shapes.keys() != own.keys() and (
            list(shapes.values()) == list(own.values())
        ):
            return dict(zip(shapes, self.masks.values(), strict=True))
        if shapes != own:
            _refuse_architecture(
                sparse,
                [
                    f"{name}: {own.get(name)} and {shapes.get(name)}"
                    for name in sorted(shapes.keys() | own.keys())
                    if own.get(name) != shapes.get(name)
                ],
            )
        return self.masks


def _check_arguments(algorithm, arguments):
    """Raises an error for arguments that the ticket itself has, or lacks."""
    name = type(algorithm).__name__
    own = sorted(arguments.keys() & {"exclude", "include", "masks"})
    if own:
        raise TypeError(
            f"The ticket has its own `{own[0]}`. Received: "
            f"{own[0]}={arguments[own[0]]!r}. Leave it out."
        )
    if algorithm.follows_sparsity and "sparsity" not in arguments:
        raise ValueError(
            f"{name} changes the sparsity and needs `sparsity`, the sparsity "
            "at its end."
        )
    if not algorithm.follows_sparsity and arguments.get("sparsity"):
        raise ValueError(
            f"{name} keeps the sparsity of the ticket. Leave `sparsity` out. "
            f"Received: sparsity={arguments['sparsity']!r}."
        )


def _refuse_architecture(sparse, differences):
    raise ValueError(
        "The ticket and the model must have the same architecture. Received "
        f"{sparse.name!r} with other shapes, first the ticket's and then the "
        f"model's: {', '.join(differences)}."
    )


def load(path: PathLike) -> Ticket:
    """Loads a ticket from a file of `Ticket.save`.

    Args:
        path: Path of the file.

    Returns:
        `Ticket`. `Ticket.sparsify` applies it to a model.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If the file is not a ticket, is damaged or has another
            version.
    """
    metadata, arrays = ticket_file.read(path)
    try:
        return _parse(metadata, arrays)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} cannot be read as a ticket: {error!r}."
        ) from None


def _parse(metadata, arrays):
    """Returns the ticket in the contents of a file."""
    masks, scores, weights = (
        names and {name: arrays[f"{group}/{name}"] for name in names}
        for group, names in (
            (group, metadata["names"][group])
            for group in ("masks", "scores", "weights")
        )
    )
    if not masks or any(mask.dtype != bool for mask in masks.values()):
        raise ValueError("it has no masks")
    if type(metadata["signed_constant"]) is not bool:
        raise TypeError("signed_constant is no boolean")
    return Ticket(
        masks=masks,
        scores=scores,
        weights=list(weights.values()) if weights else None,
        history={
            name: list(map(float, values))
            for name, values in metadata["history"].items()
        },
        signed_constant=metadata["signed_constant"],
        exclude=tuple(_names("exclude", metadata["exclude"])),
        include=tuple(_names("include", metadata["include"])),
        request=dict(metadata["request"]),
    )


def _names(argument, layers):
    """Returns names or patterns of layers as a list."""
    is_list = isinstance(layers, list | tuple | set | type(None))
    names = list(layers or ()) if is_list else [layers]
    if not all(isinstance(name, str) for name in names):
        raise ValueError(
            f"`{argument}` must be names of layers in a ticket that is saved. "
            f"Received: {argument}={layers!r}."
        )
    return names
