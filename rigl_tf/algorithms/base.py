"""What an algorithm is, and what it may see."""

import abc
import dataclasses
from typing import Any
from typing import NamedTuple

import tensorflow as tf

from rigl_tf import masks
from rigl_tf import schedules
from rigl_tf.algorithms import scores
from rigl_tf.config import Config


class LayerView(NamedTuple):
    """What an algorithm may see of one sparse kernel; all of one shape.

    That is the kernel's shape. Where connections move in groups, a view has
    one entry for each group: its mean magnitudes, and whether it is active.
    Where only active connections are stored, `drop`, `num_drop`,
    `redistribute` and `next_state` see flat tensors of these alone, and `grow`
    sees the kernel in parts, one after another: scores must go by what is at
    a position and not by the whole.

    Attributes:
        weight: Float tensor, the kernel; zero wherever `mask` is `False`.
        mask: Boolean tensor; `True` marks active connections.
        gradient: Float tensor, d(loss)/d(weight) at every position, active or
            not, averaged over the batch. `None` unless the algorithm sets
            `needs_gradient` or `tracks_gradient`.
        momentum: Float tensor, a running gradient: what `track` keeps, or the
            optimizer's if the algorithm sets `needs_momentum`, which is zero
            where nothing is active. `None` otherwise.
        seed: Integer tensor of shape (2,), unique to this kernel and step.
        sign: Float tensor of -1 and 1, fixed for each connection. `None`
            unless the algorithm sets `fixes_signs`.
        total: Integer, connections or groups of the whole kernel; `None` for
            as many as `mask` has.
        num_tiles: Integer, in how many parts `tile` shows the whole kernel.
        part: Function from a view and a number to a view of that part; `None`
            if the view is of the whole kernel.
        draw: Function without arguments that returns what `random` does;
            `None` if the view is of the whole kernel.
    """

    weight: Any
    mask: Any
    gradient: Any
    momentum: Any
    seed: Any
    sign: Any = None
    total: int | None = None
    num_tiles: int = 1
    part: Any = None
    draw: Any = None

    def size(self):
        """Connections or groups of the whole kernel, as an int64 scalar."""
        if self.total is None:
            return tf.size(self.mask, out_type=tf.int64)
        return tf.constant(self.total, tf.int64)

    def tile(self, number):
        """A view of a part of the kernel, inactive connections included."""
        return self if self.part is None else self.part(self, number)

    def random(self):
        """Independent uniform int32 scores, always the same for a position."""
        if self.draw is None:
            return masks.random_scores(self.mask.shape, self.seed)
        return self.draw()


class Request(NamedTuple):
    """What an update is asked for.

    Attributes:
        fraction: Scalar in [0, 1], the drop fraction now, of active
            connections.
        budgets: List of int64 scalars, the connections that the sparsity
            schedule grants each layer now.
        state: Dictionary from name to float32 scalar, the algorithm's own.
    """

    fraction: Any
    budgets: Any
    state: Any


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
    # Whether a view needs the optimizer's running gradient.
    needs_momentum = False
    # Whether `track` sees the dense gradient of every batch.
    tracks_gradient = False
    # Whether every connection has a sign that its weight must keep.
    fixes_signs = False
    # Whether connections move at all.
    updates_masks = True
    # Whether the sparsity follows a schedule, so that `budgets` change.
    follows_sparsity = False
    # When to update and what fraction to replace, unless `sparsify` is told.
    default_schedule = schedules.UpdateSchedule()
    default_drop_fraction = schedules.Cosine()

    @property
    def replaces_step(self):
        """Whether an update takes the place of the optimizer step.

        If not, the optimizer steps first and the update follows. By default
        an update that needs the gradient spends the batch on it (RigL paper,
        Algorithm 1).
        """
        return self.needs_gradient

    @property
    def moves_between_layers(self):
        """Whether a layer's share may change, beyond a sparsity schedule."""
        return type(self).redistribute is not Algorithm.redistribute

    def drop(self, view):
        """Scores to keep: the lowest active ones are dropped. Here, |w|."""
        return scores.magnitude(view)

    @abc.abstractmethod
    def grow(self, view):
        """Scores to add: the highest inactive ones are grown.

        Or a list of functions that return such scores. Each grows an equal
        part; the earlier ones choose first and have the odd ones.
        """

    def num_drop(self, views, request):
        """How many connections each layer drops.

        Args:
            views: Sequence of `LayerView`.
            request: `Request`.

        Returns:
            List of int64 scalars. Here floor(fraction x active): in 64-bit
            floats, which are exact for kernels of any size.
        """
        fraction = schedules.exactly(request.fraction)
        return [
            tf.cast(
                tf.floor(fraction * tf.cast(num_active, tf.float64)), tf.int64
            )
            for num_active in masks.count_each(view.mask for view in views)
        ]

    def redistribute(self, views, num_dropped):
        """How many connections each layer grows. Here, what it dropped.

        Args:
            views: Sequence of `LayerView`, as they are after the drop.
            num_dropped: List of int64 scalars.

        Returns:
            List of int64 scalars, each at most what is inactive.
        """
        del views
        return num_dropped

    # What few algorithms need.

    def initial_state(self):
        """The algorithm's own state, from name to float. Here, none."""
        return {}

    def next_state(self, views, request, num_dropped):
        """The state after an update; arguments as above. Here, the same."""
        del views, num_dropped
        return request.state

    def track(self, view):
        """The running gradient after a batch. Called if `tracks_gradient`."""
        raise NotImplementedError(
            f"{type(self).__name__} sets `tracks_gradient` and must say what "
            "it keeps of `view.gradient` in `view.momentum`: override `track`."
        )

    def perturb(self, view, learning_rate):
        """What is added to the gradient of active connections in a step.

        Args:
            view: `LayerView`.
            learning_rate: Scalar, the optimizer's.

        Returns:
            Float tensor of kernel shape, or `None` for nothing, as here.
        """
        del view, learning_rate
