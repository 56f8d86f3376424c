"""CHTs: soft Cannistraci-Hebb training."""

import dataclasses

import tensorflow as tf

from rigl_tf.algorithms import scores
from rigl_tf.algorithms.base import Algorithm
from rigl_tf.algorithms.kernel_view import CandidateTile
from rigl_tf.algorithms.kernel_view import KernelView
from rigl_tf.sparsity import schedules
from rigl_tf.utils.validation import check_number


@dataclasses.dataclass(frozen=True)
class CHTs(Algorithm):
    """Draws connections to keep by weight, and to grow by their neighbors.

    No gradient is needed. An update keeps connections that are drawn without
    replacement, with probabilities in proportion to |weight| to a power that
    rises during training. New connections are drawn in the same way, by
    `ch2_l3n` of the mask after the drop. Connections without a path of length
    three between their ends grow only if there are too few others.

    Kernels are matrices from inputs to outputs; the positions of a
    convolution are further inputs. The paper also removes, before the growth,
    connections of neurons without active inputs or outputs, and starts from
    correlated inputs. This class does not.

    Args:
        first_power: Float >= 0, the power of |weight| at the first step.
        last_power: Float >= 0, the power at the end of the update schedule.

    Reference:
        [Zhang et al., 2025](https://arxiv.org/abs/2501.19107), section 3.1.

    Example:

    >>> sparse = rigl_tf.sparsify(
    ...     network, rigl_tf.algorithms.CHTs(), sparsity=0.5)
    >>> sparse.drop_fraction
    Constant(initial=0.3)
    """

    first_power: float = 1.0
    last_power: float = 3.0

    needs_whole_kernel = True
    default_schedule = schedules.UpdateSchedule(None)
    default_drop_fraction = schedules.Constant(0.3)

    def __post_init__(self) -> None:
        check_number("first_power", self.first_power, "[0, inf)")
        check_number("last_power", self.last_power, "[0, inf)")

    def drop(self, view: KernelView) -> tf.Tensor:
        rise = self.last_power - self.first_power
        progress = 0.0 if view.progress is None else view.progress
        power = self.first_power + rise * progress
        weight = tf.cast(scores.magnitude(view), tf.float32)
        # The highest weight is 1, so that no power overflows.
        weight = tf.math.divide_no_nan(weight, tf.reduce_max(weight))
        return scores.weighted_random(view, weight**power)

    def grow(self, tile: CandidateTile) -> tf.Tensor:
        mask = tf.cast(tile.mask, tf.float32)
        if tile.layout is None:  # the last dimension has the outputs
            matrix = tf.reshape(mask, (-1, mask.shape[-1]))
            paths = tf.reshape(ch2_l3n(matrix), tf.shape(mask))
        else:
            paths = tile.layout.from_matrix(ch2_l3n(tile.layout.matrix(mask)))
        return scores.weighted_random(tile, paths, stream=1)


def ch2_l3n(mask: tf.Tensor) -> tf.Tensor:
    """Scores connections by the paths of length three between their ends.

    A path from an input to an output leads over another input with which the
    first shares outputs, or over another output with which the last shares
    inputs. It counts by the number of shared neighbors plus one, divided by
    the number of other neighbors of that neuron in between.

    Args:
        mask: Float tensor of zeros and ones, inputs by outputs.

    Returns:
        Float tensor of the same shape, CH2-L3n of each position.

    Reference:
        [Zhang et al., 2025](https://arxiv.org/abs/2501.19107), appendix, as in
        the authors' code.

    Example:

    >>> mask = [[1.0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 1, 1]]
    >>> scores = ch2_l3n(tf.constant(mask)) * (1 - tf.constant(mask))
    >>> scores.numpy().astype(int).tolist()
    [[0, 0, 0, 3], [6, 0, 0, 3], [2, 6, 0, 0]]
    """
    by_inputs = _shared(mask) @ mask
    by_outputs = _shared(tf.transpose(mask)) @ tf.transpose(mask)
    return by_inputs + tf.transpose(by_outputs)


def _shared(mask: tf.Tensor) -> tf.Tensor:
    """Returns the weights of pairs of rows by their common columns."""
    common = mask @ tf.transpose(mask)
    is_pair = tf.cast(common > 0, mask.dtype)
    others = tf.reduce_sum(mask, axis=1) - common
    return (common + 1) * is_pair / tf.maximum(others, 1)
