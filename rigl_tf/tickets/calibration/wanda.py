"""Wanda: keeps large weights of large inputs."""

import dataclasses

import numpy as np

from rigl_tf.tickets.calibration import base
from rigl_tf.tickets.search import mask_selection


@dataclasses.dataclass(frozen=True)
class Wanda(base.Calibrated):
    """Keeps connections with the largest |w| times the norm of their input.

    Scores are compared among the inputs of one output, so that all outputs of
    a layer keep equally many inputs, or one more. Kept weights do not change.
    The released code may prune one weight more per output; here, counts are
    exact.

    Reference:
        [Sun et al., 2024](https://arxiv.org/abs/2306.11695), section 3.

    Example:

    >>> finder = rigl_tf.tickets.Wanda(num_samples=64)
    >>> ticket = finder.find(network, (x, y), density=0.5)
    """

    def statistics(self, x: np.ndarray) -> np.ndarray:
        return base.squares(x)

    def prune(
        self, weights: np.ndarray, statistics: np.ndarray, count: int, seed: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        norms = np.sqrt(statistics)[:, :, None]
        scores = np.abs(weights.astype("float32")) * norms
        by_output = scores.transpose(1, 0, 2).reshape(scores.shape[1], -1)
        mask = mask_selection.highest_in_columns(by_output, count, seed % 2**64)
        mask = mask.reshape(-1, len(scores), scores.shape[2])
        return mask.transpose(1, 0, 2), weights, scores
