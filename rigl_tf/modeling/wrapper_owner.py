"""The wrappers of a sparse model, inside its network or outside."""

import weakref

import keras

from rigl_tf._keras_compat import Untracked
from rigl_tf._keras_compat import all_layers
from rigl_tf._keras_compat import unlock
from rigl_tf.modeling import maskable
from rigl_tf.modeling import placement
from rigl_tf.modeling import sparse_wrapper
from rigl_tf.modeling.sparse_wrapper import Sparse
from rigl_tf.typing import LayerMixin


class WrapperOwner(LayerMixin):
    """Lets a model with a `network` own `Sparse` wrappers of its layers.

    Attributes:
        wrappers_beside: List of `Sparse` that the network does not show, so
            that the model itself has to track and save them.
    """

    def _wrap(self, masked, is_placed):
        """Gives the layers of a network their masks, and keeps what has some.

        Args:
            masked: List of pairs, as for `SparseModel`.
            is_placed: Whether the network shows wrappers among its layers.
        """
        layers = self._paths()
        wrappers = [Sparse(layers[path], kernels) for path, kernels in masked]
        for part in all_layers(self.network):
            if isinstance(part, keras.Model):
                part.train_function = None  # it was made without the masks
        # Masks of another sparse model, or of `SparseTraining`.
        known = {id(layer) for layer in all_layers(self.network)}
        known |= {id(wrapper) for wrapper in wrappers}
        wrappers += [
            wrapper
            for wrapper in sparse_wrapper.sparse_layers(self.network)
            if id(wrapper) not in known
        ]
        leaves = {id(layer) for path, layer in placement.leaves(self.network)}
        leaves -= {id(self.network)}
        placed = [w for w in wrappers if is_placed and id(w.layer) in leaves]
        placement.place(self.network, placed)
        for wrapper in placed:
            wrapper.owner = weakref.ref(self)
        self._in_graph = Untracked(placed)
        self.wrappers_beside = [w for w in wrappers if w not in placed]

    def _saved_entries(self):
        """Pairs as of `masked`, by names that a network from a file has."""
        paths = {id(layer): path for path, layer in self._paths().items()}
        return [
            [paths[id(wrapper.layer)], wrapper.saved_names()]
            for wrapper in self._in_graph.value + self.wrappers_beside
        ]

    def keep_wrappers(self) -> None:
        """Keeps the wrappers, which are taken out of the network next."""
        wrappers = sparse_wrapper.sparse_layers(self.network)
        layers = {id(wrapper.layer) for wrapper in wrappers}
        # Taken out before.
        wrappers += [
            w for w in self.wrappers_beside if id(w.layer) not in layers
        ]
        self._in_graph = Untracked([])
        unlock(self)
        self.wrappers_beside = wrappers

    @property
    def placed_wrappers(self) -> list[Sparse]:
        """List of the `Sparse` that the network shows among its layers."""
        return self._in_graph.value

    def _paths(self):
        return {"": self.network, **dict(maskable.layers_of(self.network))}
