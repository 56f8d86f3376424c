"""What a finder finds."""

import dataclasses

import numpy as np

from rigl_tf import tensors
from rigl_tf.algorithms import Static
from rigl_tf.modeling import sparse_wrapper
from rigl_tf.modeling.convert import densify
from rigl_tf.modeling.convert import sparsify
from rigl_tf.tickets import ticket_file


@dataclasses.dataclass(frozen=True, eq=False)
class Ticket:
    """A sparse network before it is trained.

    Attributes:
        masks: Dictionary from kernel, named as in `SparseModel.kernels`, to a
            boolean array of its shape.
        weights: List of arrays as of `model.get_weights()`, or `None`: the
            weights that the model came with.
        scores: Dictionary from kernel to an array of floats, higher for what
            the finder would rather keep, or `None` if it had none.
        history: Dictionary from a name to a list of floats, one for each
            epoch or round of the search.
        signed_constant: Whether all weights of a kernel are equal but for
            their signs.
        exclude: Names of layers that are dense, as for `sparsify`.
        include: Names of layers that are sparse on request.
        request: Dictionary of what was asked for: the `finder` as a string,
            `density` and `seed`. Empty if the ticket was not found.
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
    def density(self):
        """Float, the fraction of connections kept."""
        masks = self.masks.values()
        kept = sum(np.count_nonzero(mask) for mask in masks)
        return float(kept / sum(mask.size for mask in masks))

    def sparsify(self, model, seed=0):
        """The sparse model to train: masks that stay as they are.

        Args:
            model: `keras.Model` like the one in which the ticket was found.
                It becomes sparse itself, as by `rigl_tf.sparsify`.
            seed: Integer.

        Returns:
            `SparseModel` with the algorithm `Static`. Compile it next.

        Raises:
            ValueError: If the ticket is of another architecture. The model
                is then as dense as it was.
        """
        was_sparse = bool(sparse_wrapper.sparse_layers(model))
        activate_all(model)
        sparse = sparsify(
            model,
            Static(),
            sparsity=0.0,
            exclude=self.exclude,
            include=self.include,
            seed=seed,
        )
        try:
            masks = self._masks_for(sparse)
            self._check_weights(sparse)
        except ValueError:
            if not was_sparse:
                densify(model)
            raise
        if self.weights is not None:
            set_weights(sparse, self.weights)
        sparse.set_masks(masks)
        return sparse

    def save(self, path):
        """Saves the ticket; `rigl_tf.tickets.load` brings it back.

        Args:
            path: Path of the file, such as `"ticket.npz"`. It is a NumPy
                archive with JSON inside, and loading it runs no code.

        Raises:
            OSError: If the file cannot be written.
            ValueError: If `exclude` or `include` are not names.

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
        """Raises a ValueError that names weights of other shapes."""
        if self.weights is None:
            return
        here = [(v.path, tuple(v.shape)) for v in weights_of(sparse)]
        if len(here) != len(self.weights):
            raise ValueError(
                f"The ticket is of another architecture than {sparse.name!r}: "
                f"it has {len(self.weights)} weights, and the model "
                f"{len(here)}."
            )
        other = [
            f"{name}: {array.shape} and {shape}"
            for (name, shape), array in zip(here, self.weights, strict=True)
            if array.shape != shape
        ]
        if other:
            raise ValueError(
                f"The ticket is of another architecture than {sparse.name!r}. "
                f"Shapes in the ticket and in the model: {', '.join(other)}"
            )

    def _masks_for(self, sparse):
        """The masks by the names of another model, whose layers Keras may
        have counted on."""
        here = {k.name: tuple(k.mask.shape) for k in sparse.kernels}
        there = {name: mask.shape for name, mask in self.masks.items()}
        if here.keys() != there.keys() and (
            list(here.values()) == list(there.values())
        ):
            return dict(zip(here, self.masks.values(), strict=True))
        if here != there:
            other = {
                name: (there.get(name), here.get(name))
                for name in sorted(here.keys() | there.keys())
                if there.get(name) != here.get(name)
            }
            raise ValueError(
                f"The ticket is of another architecture than {sparse.name!r}. "
                "Shapes in the ticket and in the model: "
                + ", ".join(f"{n}: {a} and {b}" for n, (a, b) in other.items())
            )
        return self.masks


def load(path):
    """Loads a ticket that `Ticket.save` has saved.

    Args:
        path: Path of the file.

    Returns:
        `Ticket`. Its `sparsify` puts it on a model.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is not a ticket, damaged or of another version.
    """
    facts, arrays = ticket_file.read(path)
    try:
        return _of(facts, arrays)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} cannot be read as a ticket: {error!r}."
        ) from None


def _of(facts, arrays):
    """The ticket that a file describes, if it describes one."""
    masks, scores, weights = (
        names and {name: arrays[f"{group}/{name}"] for name in names}
        for group, names in (
            (group, facts["names"][group])
            for group in ("masks", "scores", "weights")
        )
    )
    if not masks or any(mask.dtype != bool for mask in masks.values()):
        raise ValueError("it has no masks")
    if type(facts["signed_constant"]) is not bool:
        raise TypeError("signed_constant is no boolean")
    return Ticket(
        masks=masks,
        scores=scores,
        weights=weights and list(weights.values()),
        history={
            name: list(map(float, values))
            for name, values in facts["history"].items()
        },
        signed_constant=facts["signed_constant"],
        exclude=tuple(_names("exclude", facts["exclude"])),
        include=tuple(_names("include", facts["include"])),
        request=dict(facts["request"]),
    )


def _names(argument, layers):
    """Names or patterns of layers, as a list."""
    is_list = isinstance(layers, list | tuple | set | type(None))
    names = list(layers or ()) if is_list else [layers]
    if not all(isinstance(name, str) for name in names):
        raise ValueError(
            f"A ticket can be saved if `{argument}` has names of layers. "
            f"Received: {argument}={layers!r}."
        )
    return names


def activate_all(model):
    """Makes every connection of the masks that a model has active."""
    for kernel in sparse_wrapper.sparse_kernels(model):
        kernel.set_mask(np.ones(kernel.kernel_shape, bool))


def weights_of(sparse):
    """The variables of a sparse model that the plain one has as weights."""
    return sparse.network.weights


def get_weights(sparse):
    """A sparse model's weights, as a plain model's `get_weights` has them."""
    return [tensors.as_array(v) for v in weights_of(sparse)]


def set_weights(sparse, weights):
    """Gives a sparse model the weights of a plain one."""
    for variable, value in zip(weights_of(sparse), weights, strict=True):
        variable.assign(value)
