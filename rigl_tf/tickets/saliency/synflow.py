"""SynFlow: keeps connections with a large synaptic flow, without data."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from keras import tree

from rigl_tf._keras_compat import head_of
from rigl_tf.modeling import sparse_wrapper
from rigl_tf.modeling.sparse_model import SparseModel
from rigl_tf.tickets.base import UNSUPPORTED_IF_PRUNED
from rigl_tf.tickets.base import SearchRequest
from rigl_tf.tickets.base import TicketFinder
from rigl_tf.tickets.saliency import functional_call
from rigl_tf.tickets.search import mask_selection
from rigl_tf.tickets.search import pruning_counts
from rigl_tf.tickets.ticket import Ticket
from rigl_tf.training import losses
from rigl_tf.utils import tensors
from rigl_tf.utils.validation import check_choice
from rigl_tf.utils.validation import check_count

_SCHEDULES = {
    "exponential": pruning_counts.exponential,
    "linear": pruning_counts.linear,
}


@dataclasses.dataclass(frozen=True)
class SynFlow(TicketFinder):
    """Iteratively prunes the connections with the smallest synaptic flow.

    The score of a connection is |w| dR/d|w|, where R is the sum of the
    outputs for an input of ones, with the absolute values of all variables.
    Normalization is in inference mode. The search does not use the data: pass
    any batch with labels. With many iterations, it does not empty a layer
    before all other layers.

    Args:
        num_iterations: Integer. With one iteration, layers may become empty.
        schedule: `"exponential"` prunes the same fraction in each iteration,
            `"linear"` the same number of connections.
        dtype: `"float32"` or `"float64"`, the dtype of the flow. The flow
            multiplies from layer to layer: it is about 3e22 in ResNet-20.

    Reference:
        [Tanaka et al., 2020](https://arxiv.org/abs/2006.05467), section 6.
    """

    num_iterations: int = 100
    schedule: str = "exponential"
    dtype: str = "float32"

    def __post_init__(self):
        check_count("num_iterations", self.num_iterations)
        check_choice("schedule", self.schedule, tuple(_SCHEDULES))
        check_choice("dtype", self.dtype, ("float32", "float64"))

    @property
    def unsupported_checks(self) -> dict[str, str]:
        return UNSUPPORTED_IF_PRUNED if self.num_iterations > 1 else {}

    def search(self, sparse: SparseModel, request: SearchRequest) -> Ticket:
        names = [kernel.name for kernel in sparse.kernels]
        flow = SynapticFlow(sparse, request.dataset.input_shape, self.dtype)
        masks = [np.ones(k.variable.shape, bool) for k in sparse.kernels]
        activation = losses.activation_name(head_of(sparse.network))
        chosen, scores = {}, {}
        for count in _SCHEDULES[self.schedule](
            request.size, request.density, self.num_iterations
        ):
            total, flows = flow(masks)
            if not all(np.isfinite(each).all() for each in (total, *flows)):
                raise ValueError(
                    "The synaptic flow of the network must be finite. Received "
                    f"an overflow with dtype={self.dtype!r}. Pass "
                    "`dtype='float64'`."
                )
            # The scores of a constant sum are rounding errors.
            noise = 0 if chosen else 1e-5 * abs(total)
            size = sum(np.abs(score).sum(dtype="float64") for score in flows)
            if activation == "softmax" or size <= noise:
                raise ValueError(
                    "The sum of the outputs must depend on the weights. "
                    "Received a network with a constant sum, such as the sum "
                    "of a softmax. Pass a network that returns logits."
                )
            scores = {
                name: mask_selection.mask_scores(mask, score)
                for name, mask, score in zip(names, masks, flows, strict=True)
            }
            chosen = mask_selection.global_top_k(
                scores, count, self.keep_alive, request.seed
            )
            masks = list(chosen.values())
        return Ticket(chosen, scores=scores)

    def phases(
        self, density: float, epochs: int, num_examples: int, batch_size: int
    ) -> Sequence[tuple[float, float]]:
        del epochs, num_examples, batch_size
        size = 2**53  # makes rounding negligible
        kept = _SCHEDULES[self.schedule](size, density, self.num_iterations)
        # One input of ones in every iteration.
        return [(1, count / size) for count in (size, *kept[:-1])]


class SynapticFlow:
    """The synaptic flow of a network: absolute weights, an input of ones.

    Args:
        sparse: `SparseModel` with dense masks.
        input_shape: Tuple of integers, the shape of one example, or a
            structure of such tuples.
        dtype: String, the dtype of the computation.
    """

    def __init__(self, sparse, input_shape, dtype="float32"):
        self._network = sparse.network
        if sparse.compute_dtype != dtype:
            self._network = _copy_in_dtype(sparse.network, dtype)
        self._kernels = sparse_wrapper.sparse_kernels(self._network)
        self._ones = tree.map_shape_structure(
            lambda shape: tf.ones((1, *shape), dtype), input_shape
        )

    @tf.function
    def _flow(self, masks):
        kept = {id(kernel.variable) for kernel in self._kernels}
        others = [
            (v, tf.abs(tf.convert_to_tensor(v)))
            for v in tensors.floats(self._network.variables)
            if id(v) not in kept
        ]
        sizes = [
            tf.abs(tensors.masked(kernel.variable, mask))
            for kernel, mask in zip(self._kernels, masks, strict=True)
        ]
        with tf.GradientTape() as tape:
            tape.watch(sizes)
            values = [
                (kernel.variable, size)
                for kernel, size in zip(self._kernels, sizes, strict=True)
            ]
            y, _ = functional_call.call_with_values(
                self._network, values + others, self._ones, training=False
            )
            total = tf.add_n([tf.reduce_sum(one) for one in tree.flatten(y)])
        gradients: Any = tape.gradient(
            total, sizes, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        return total, [
            size * gradient
            for size, gradient in zip(sizes, gradients, strict=True)
        ]

    def __call__(self, masks):
        """Computes the flow, and the score of each connection.

        Args:
            masks: List of boolean arrays, one for each kernel.

        Returns:
            Float, and a list of arrays.
        """
        total, scores = self._flow([tf.constant(mask) for mask in masks])
        return float(total), [score.numpy() for score in scores]


def _copy_in_dtype(network, dtype):
    """Returns a copy of a network that computes in another dtype."""

    def changed(config):
        if isinstance(config, dict):
            return {
                key: dtype if key == "dtype" and value else changed(value)
                for key, value in config.items()
            }
        if isinstance(config, list | tuple):
            return type(config)(map(changed, config))
        return config

    try:
        copy = type(network).from_config(changed(network.get_config()))
        pairs = zip(copy.weights, network.weights, strict=True)
        for target, variable in pairs:
            target.assign(tensors.as_array(variable))
    except (NotImplementedError, TypeError, ValueError) as error:
        raise ValueError(
            f"A flow in {dtype} needs a copy of the network. Received: "
            f"{network.name!r}, which its config cannot copy. Call "
            f"`keras.config.set_dtype_policy({dtype!r})` before you make the "
            "network, or pass a functional or sequential model."
        ) from error
    return copy
