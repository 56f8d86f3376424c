"""What a finder finds."""

import dataclasses

import numpy as np

from rigl_tf import tensors
from rigl_tf.algorithms import Static
from rigl_tf.modeling import sparse_wrapper
from rigl_tf.modeling.convert import sparsify


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
    """

    masks: dict
    weights: list | None = None
    scores: dict | None = None
    history: dict = dataclasses.field(default_factory=dict)
    signed_constant: bool = False
    exclude: tuple = ()
    include: tuple = ()

    @property
    def density(self):
        """Float, the fraction of connections kept."""
        masks = self.masks.values()
        kept = sum(np.count_nonzero(mask) for mask in masks)
        return kept / sum(mask.size for mask in masks)

    def sparsify(self, model, seed=0):
        """The sparse model to train: masks that stay as they are.

        Args:
            model: `keras.Model` like the one in which the ticket was found.
                It becomes sparse itself, as by `rigl_tf.sparsify`.
            seed: Integer.

        Returns:
            `SparseModel` with the algorithm `Static`. Compile it next.

        Raises:
            ValueError: If the ticket is of another architecture.
        """
        activate_all(model)
        sparse = sparsify(
            model,
            Static(),
            sparsity=0.0,
            exclude=self.exclude,
            include=self.include,
            seed=seed,
        )
        masks = self._masks_for(sparse)
        if self.weights is not None:
            set_weights(sparse, self.weights)
        sparse.set_masks(masks)
        return sparse

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
