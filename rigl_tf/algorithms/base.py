"""What an algorithm is, and what it may see."""

import abc
import dataclasses
from typing import Any
from typing import NamedTuple

import tensorflow as tf
from keras import ops

from rigl_tf import masks
from rigl_tf import schedules
from rigl_tf.config import Config


class LayerView(NamedTuple):
    """What an algorithm may see of one sparse kernel; all of kernel shape.

    Attributes:
        weight: Float tensor, the kernel; zero wherever `mask` is `False`.
        mask: Boolean tensor; `True` marks active connections.
        gradient: Float tensor, d(loss)/d(weight) at every position, active or
            not, averaged over the batch. `None` unless the algorithm sets
            `needs_gradient`.
        momentum: Float tensor, a running gradient at every position. `None`
            where none is kept.
        seed: Integer tensor of shape (2,), unique to this kernel and step.
    """

    weight: Any
    mask: Any
    gradient: Any
    momentum: Any
    seed: Any


@dataclasses.dataclass(frozen=True)
class Algorithm(Config, abc.ABC):
    """A rule for moving connections: pure functions of what layers look like.

    Subclasses must say what to `grow`. They may change what to `drop`, and how
    layers share what was dropped. Hyperparameters are dataclass fields.

    `views` are read-only sequences that build a view when it is asked for, so
    that only one layer's temporaries are held at a time.
    """

    # Whether a view needs the dense gradient of the current batch.
    needs_gradient = False
    # Whether connections move at all.
    updates_masks = True
    # Whether the sparsity follows a schedule, so that `budgets` change.
    follows_sparsity = False

    @property
    def replaces_step(self):
        """Whether an update takes the place of the optimizer step.

        If not, the optimizer steps first and the update follows. By default
        an update that needs the gradient spends the batch on it (RigL paper,
        Algorithm 1).
        """
        return self.needs_gradient

    def drop(self, view):
        """Scores to keep: the lowest active ones are dropped. Here, |w|."""
        return ops.abs(view.weight)

    @abc.abstractmethod
    def grow(self, view):
        """Scores to add: the highest inactive ones are grown."""

    def num_drop(self, views, fraction, budgets):
        """How many connections each layer drops.

        Args:
            views: Sequence of `LayerView`.
            fraction: Scalar, the drop fraction now, of active connections.
            budgets: List of int64 scalars, the connections that the sparsity
                schedule grants each layer now.

        Returns:
            List of int64 scalars. Here floor(fraction x active): in 64-bit
            floats, which are exact for kernels of any size.
        """
        del budgets
        fraction = schedules.exactly(fraction)
        return [
            tf.cast(
                tf.floor(fraction * tf.cast(num_active, tf.float64)), tf.int64
            )
            for num_active in masks.count_each(view.mask for view in views)
        ]

    def redistribute(self, views, num_dropped):
        """How many connections each layer grows. Here, what it dropped."""
        del views
        return num_dropped
