"""SparseGPT: prunes for a small error of each layer's outputs."""

import dataclasses

import numpy as np

from rigl_tf.tickets.calibration import base
from rigl_tf.utils.validation import check_count
from rigl_tf.utils.validation import check_number

_MAX_INPUTS = 2**14  # a matrix of this size takes 2 GiB


@dataclasses.dataclass(frozen=True)
class SparseGPT(base.Calibrated):
    """Prunes and changes the other weights to keep the outputs of each layer.

    Inputs of a layer are pruned from the first to the last, and the weights of
    later inputs change so that the squared error of the outputs becomes
    smallest. `Ticket.weights` has the changed weights. The released code may
    prune one weight more per block of inputs; here, counts are exact.

    Time grows with the cube, and memory with the square, of the number of
    inputs of an output.

    Args:
        hessian_damping: Float >= 0, the fraction of the mean diagonal of the
            Hessian that is added to its diagonal, as in `keras.quantizers`.
        block_size: Integer, inputs whose masks are chosen together, for all
            outputs.

    Reference:
        [Frantar & Alistarh, 2023](https://arxiv.org/abs/2301.00774),
        Algorithm 1.

    Example:

    >>> finder = rigl_tf.tickets.SparseGPT(num_samples=64)
    >>> ticket = finder.find(network, (x, y), density=0.5)
    """

    hessian_damping: float = 0.01
    block_size: int = 128

    changes_weights = True
    unsupported_checks = dict.fromkeys(
        ("shuffle", "invert"),
        "the weights of connections that it prunes are zero, so another mask "
        "would select zeros",
    )

    def __post_init__(self):
        super().__post_init__()
        check_number("hessian_damping", self.hessian_damping, "[0, inf)")
        check_count("block_size", self.block_size)

    def statistics(self, x: np.ndarray) -> np.ndarray:
        if x.shape[2] > _MAX_INPUTS:
            raise ValueError(
                f"SparseGPT takes layers with at most {_MAX_INPUTS:,} inputs. "
                f"Received: a layer with {x.shape[2]:,}. Use `Wanda`, or keep "
                "the layer dense with `exclude`."
            )
        return 2 * np.matmul(x.transpose(0, 2, 1), x).astype("float64")

    def prune(
        self, weights: np.ndarray, statistics: np.ndarray, count: int, seed: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        del seed
        left = weights.astype("float64")
        mask, scores = np.ones(left.shape, bool), np.zeros(left.shape)
        # The same fraction of each block of inputs, up to rounding.
        to_prune, num_seen, num_pruned = left.size - count, 0, 0
        for group, hessian in enumerate(statistics):
            w, upper = left[group], self._inverse_factor(hessian)
            is_dead = np.diag(hessian) == 0
            for start in range(0, len(w), self.block_size):
                stop = min(start + self.block_size, len(w))
                block = slice(start, stop)
                scale = np.diag(upper)[block, None]
                score = np.square(w[block] / scale)
                score[is_dead[block]] = 0
                num_seen += score.size
                num = round(to_prune * num_seen / left.size) - num_pruned
                num_pruned += num
                kept = _without_lowest(score, num)
                errors = np.zeros(score.shape)
                for i in range(start, stop):
                    lost = np.where(kept[i - start], 0, w[i]) / upper[i, i]
                    w[i:stop] -= np.outer(upper[i, i:stop], lost)
                    errors[i - start] = lost
                w[stop:] -= upper[block, stop:].T @ errors
                mask[group, block], scores[group, block] = kept, score
        return mask, left.astype(weights.dtype), scores

    def _inverse_factor(self, hessian):
        """Returns the upper triangular U with U'U the inverse Hessian."""
        hessian = hessian.copy()
        diagonal = np.einsum("ii->i", hessian)
        diagonal[diagonal == 0] = 1
        diagonal += self.hessian_damping * np.mean(diagonal)
        try:
            return np.linalg.cholesky(np.linalg.inv(hessian)).T
        except np.linalg.LinAlgError:
            raise ValueError(
                "The inputs of a layer must be linearly independent, or the "
                "Hessian damped. Received: "
                f"hessian_damping={self.hessian_damping}. Raise it, or use "
                "more examples: `num_samples`."
            ) from None


def _without_lowest(scores, num):
    """Returns a boolean array that is `False` at the `num` lowest scores."""
    kept = np.ones(scores.size, bool)
    kept[np.argsort(scores, axis=None, kind="stable")[:num]] = False
    return kept.reshape(scores.shape)
