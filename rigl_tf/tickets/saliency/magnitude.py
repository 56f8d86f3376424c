"""Magnitude pruning before training."""

import dataclasses

import numpy as np

from rigl_tf.tickets.saliency.one_shot import OneShot
from rigl_tf.utils import tensors


@dataclasses.dataclass(frozen=True)
class Magnitude(OneShot):
    """Keeps the connections with the largest initial |w|."""

    def scores(self, sparse, request):
        del request
        return [np.abs(tensors.as_array(k.variable)) for k in sparse.kernels]

    def phases(self, density, epochs, num_examples, batch_size):
        del density, epochs, num_examples, batch_size
        return []
