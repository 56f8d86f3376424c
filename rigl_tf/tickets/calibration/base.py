"""The base class of finders that prune layer by layer with their inputs."""

import abc
import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from rigl_tf.modeling.sparse_model import SparseModel
from rigl_tf.sparsity import distributions
from rigl_tf.tickets.base import SearchRequest
from rigl_tf.tickets.base import TicketFinder
from rigl_tf.tickets.calibration import kernel_inputs
from rigl_tf.tickets.model_state import get_weights
from rigl_tf.tickets.search import pruning_counts
from rigl_tf.tickets.ticket import Ticket
from rigl_tf.typing import Distribution
from rigl_tf.typing import Names
from rigl_tf.utils import tensors
from rigl_tf.utils.patterns import block_of
from rigl_tf.utils.validation import check_count


@dataclasses.dataclass(frozen=True, kw_only=True)
class Calibrated(TicketFinder):
    """Base class of finders that prune each layer for the inputs it has.

    The network should be trained. Layers may be Dense, EinsumDense,
    convolutions and depthwise convolutions, also inside attention. Labels have
    no effect: without any, pass zeros.

    Args:
        num_samples: Integer, the number of training examples that layers are
            called with.
        distribution: Function of `rigl_tf.distributions`, or its name: how many
            connections each layer keeps. `"owl"` and `"lamp"` use the scores
            of Wanda. Densities are scaled to the requested total.
        sequential: Boolean. If `True`, the inputs of a block come from blocks
            that are pruned already, and every block takes a pass over the
            examples. If `False`, all inputs come from the dense network.
        blocks: Names, or patterns with `*`, that match one block each. Layers
            that match none of them form a block with the layers whose path
            starts with the same name.
    """

    num_samples: int = 128
    distribution: str | Distribution = distributions.uniform_all
    sequential: bool = True
    blocks: Names = ()

    # Whether kept weights change.
    changes_weights = False

    def __post_init__(self):
        check_count("num_samples", self.num_samples)

    @abc.abstractmethod
    def statistics(self, x: np.ndarray) -> np.ndarray:
        """Returns the sums over the rows of an input matrix that it needs.

        Args:
            x: float32 array of shape (groups, rows, inputs).

        Returns:
            Array with first dimension `groups`. The arrays of all calls of a
            layer are added.
        """

    @abc.abstractmethod
    def prune(
        self, weights: np.ndarray, statistics: np.ndarray, count: int, seed: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Prunes one kernel.

        Args:
            weights: Float array of shape (groups, inputs, outputs).
            statistics: Mean of `statistics` over examples.
            count: Integer, connections to keep.
            seed: Integer.

        Returns:
            Three arrays of the shape of `weights`: the mask, the new weights
            and the scores.
        """

    def search(self, sparse: SparseModel, request: SearchRequest) -> Ticket:
        kernels, network = sparse.kernels, sparse.network
        kernel_inputs.check_layers(kernels, type(self).__name__)
        batches, num = kernel_inputs.first_examples(
            request.dataset, request.seed, self.num_samples
        )
        norms = _collect(network, kernels, batches, num, squares)
        by_norm = [
            norm_scores(kernel, norms[kernel.name]) for kernel in kernels
        ]
        self._check_finite(kernels, by_norm)
        counts = pruning_counts.distributed(
            sparse, self.distribution, request.density, by_norm
        )
        counts = dict(zip((k.name for k in kernels), counts, strict=True))
        masks, scores = {}, {}
        for block in self._blocks(kernels):
            sums = _collect(network, block, batches, num, self.statistics)
            for kernel in block:
                mask, weights, score = self.prune(
                    kernel_inputs.kernel_matrices(
                        kernel, tensors.as_array(kernel.variable)
                    ),
                    sums.pop(kernel.name),
                    counts[kernel.name],
                    request.seed,
                )
                masks[kernel.name], weights, scores[kernel.name] = (
                    kernel_inputs.to_kernel_shape(kernel, each)
                    for each in (mask, weights * mask, score)
                )
                kernel.variable.assign(weights)
        names = [kernel.name for kernel in kernels]
        return Ticket(
            {name: masks[name] for name in names},
            weights=get_weights(sparse) if self.changes_weights else None,
            scores={name: scores[name] for name in names},
        )

    def _check_finite(self, kernels, scores):
        bad = [
            kernel.name
            for kernel, score in zip(kernels, scores, strict=True)
            if not np.isfinite(score).all()
        ]
        if bad:
            raise ValueError(
                f"{type(self).__name__} needs finite weights and inputs. "
                "Received: NaN or infinite values in the weights or the "
                f"inputs of {', '.join(bad)}. Look for them in the data and "
                "in `model.get_weights()`."
            )

    def _blocks(self, kernels):
        """Returns lists of kernels that are pruned for the same inputs."""
        if not self.sequential:
            return [kernels]
        names = block_of([kernel.name for kernel in kernels], self.blocks)
        blocks = {}
        for kernel in kernels:
            blocks.setdefault(names[kernel.name], []).append(kernel)
        return list(blocks.values())

    def phases(
        self, density: float, epochs: int, num_examples: int, batch_size: int
    ) -> Sequence[tuple[float, float]]:
        """Returns the cost of one pass; see `TicketFinder.phases`."""
        del density, epochs, num_examples, batch_size
        return [(math.ceil(self.num_samples / 3), 1.0)]


def squares(x):
    """Returns the sum of squares of each input, of shape (groups, inputs)."""
    return np.sum(np.square(x), axis=1, dtype="float64")


def norm_scores(kernel, mean_squares):
    """Returns |w| times the norm of its input, in kernel shape."""
    norms = np.sqrt(mean_squares)[:, :, None]
    weights = tensors.as_array(kernel.variable).astype("float32")
    matrices = kernel_inputs.kernel_matrices(kernel, weights)
    return kernel_inputs.to_kernel_shape(kernel, np.abs(matrices) * norms)


def _collect(network, kernels, batches, num_examples, statistics):
    """Returns the means over examples of statistics, by kernel name."""
    sums = {}

    def add(kernel, x):
        sums[kernel.name] = sums.get(kernel.name, 0) + statistics(x)

    kernel_inputs.for_each_call(network, kernels, batches, add)
    return {name: total / num_examples for name, total in sums.items()}
