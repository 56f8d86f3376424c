"""Magnitude pruning of an untrained or trained network."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from rigl_tf.modeling.sparse_model import SparseModel
from rigl_tf.tickets.base import SearchRequest
from rigl_tf.tickets.saliency.one_shot import OneShot
from rigl_tf.utils import tensors


@dataclasses.dataclass(frozen=True)
class Magnitude(OneShot):
    """Keeps the connections with the largest |w|.

    The weights of the model count, whether it is trained or not. For LAMP,
    pass `scope="layer"` and `distribution="lamp"`.

    Example:

    >>> finder = rigl_tf.tickets.Magnitude()
    >>> ticket = finder.find(network, (x, y), density=0.5)
    """

    def scores(
        self, sparse: SparseModel, request: SearchRequest
    ) -> list[np.ndarray]:
        del request
        return [np.abs(tensors.as_array(k.variable)) for k in sparse.kernels]

    def phases(
        self, density: float, epochs: int, num_examples: int, batch_size: int
    ) -> Sequence[tuple[float, float]]:
        del density, epochs, num_examples, batch_size
        return []
