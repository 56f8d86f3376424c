"""The largest weights of the untrained network."""

import dataclasses

import numpy as np

from rigl_tf.tickets.saliency.one_shot import OneShot
from rigl_tf.utils import tensors


@dataclasses.dataclass(frozen=True)
class Magnitude(OneShot):
    """Keeps the largest weights, as they are before training."""

    def scores(self, sparse, request):
        del request
        return [np.abs(tensors.as_array(k.variable)) for k in sparse.kernels]

    def phases(self, density, epochs, num_examples, batch_size):
        del density, epochs, num_examples, batch_size
        return []
