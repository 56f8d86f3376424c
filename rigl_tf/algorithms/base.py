"""The base class of algorithms, and the request of an update."""

import abc
import dataclasses
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import tensorflow as tf

from rigl_tf.algorithms import scores
from rigl_tf.algorithms.kernel_view import CandidateTile
from rigl_tf.algorithms.kernel_view import KernelView
from rigl_tf.sparsity import masks
from rigl_tf.sparsity import schedules
from rigl_tf.utils.serialization import Config


class Request(NamedTuple):
    """The numbers that an update has to follow.

    Attributes:
        fractions: List of scalars in [0, 1], the drop fraction of each kernel
            at this step, of its active connections. Zeros if a sparsity
            schedule is followed.
        budgets: List of int64 scalars, the connections that the sparsity
            schedule grants each kernel at this step.
        state: Dictionary from name to float32 scalar, the algorithm's own.
    """

    fractions: Sequence[Any]
    budgets: Sequence[Any]
    state: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Algorithm(Config, abc.ABC):
    """A rule for moving connections, made of pure functions.

    Subclasses must define `grow`. They may override `drop`, and
    `redistribute`, which shares the connections that were dropped.
    Hyperparameters are dataclass fields.

    All functions but `grow` see a `KernelView`, or a sequence of them. `grow`
    sees a `CandidateTile`, which may be a part of a kernel. Random numbers
    come from either: `view.random()`, `tile.uniform()`, `tile.normal()`.

    `views` are read-only sequences that build a view when it is asked for, so
    that only one layer's temporaries are held at a time.

    Example:

    >>> @dataclasses.dataclass(frozen=True)
    ... class SampledRigL(Algorithm):
    ...     needs_gradient = True
    ...
    ...     def grow(self, tile):
    ...         return tf.math.log(tile.uniform()) / tf.abs(tile.gradient)
    """

    # Whether views and tiles need the dense gradient of the current batch.
    needs_gradient = False
    # Whether views and tiles need the optimizer's running gradient.
    needs_momentum = False
    # Whether `track` sees the dense gradient of every batch.
    tracks_gradient = False
    # Whether every connection has a sign that its weight must keep.
    fixes_signs = False
    # Whether connections move at all.
    updates_masks = True
    # Whether the sparsity follows a schedule, so that `budgets` change.
    follows_sparsity = False
    # The schedules that `sparsify` takes by default.
    default_schedule = schedules.UpdateSchedule()
    default_drop_fraction = schedules.Cosine()

    @property
    def replaces_step(self) -> bool:
        """Boolean, whether an update takes the place of the optimizer step.

        If not, the optimizer steps first and the update follows. By default
        an update that needs the gradient spends the batch on it (RigL paper,
        Algorithm 1).
        """
        return self.needs_gradient

    @property
    def moves_between_layers(self) -> bool:
        """Boolean, whether the counts of layers may change in an update."""
        return type(self).redistribute is not Algorithm.redistribute

    def drop(self, view: KernelView) -> tf.Tensor:
        """Scores connections to keep: the lowest active ones are dropped.

        Args:
            view: `KernelView`.

        Returns:
            Tensor of the shape of `view.mask`, of floats or of integers that
            int32 holds. By default |weight|.
        """
        return scores.magnitude(view)

    @abc.abstractmethod
    def grow(
        self, tile: CandidateTile
    ) -> tf.Tensor | list[Callable[[], tf.Tensor]]:
        """Scores connections to add: the highest inactive ones are grown.

        Args:
            tile: `CandidateTile`. It may be a part of a kernel, so a score
                must follow from the values at its position.

        Returns:
            Tensor of the shape of `tile.mask`, of floats or of integers that
            int32 holds. Or a list of functions that return such scores. Each
            grows an equal part; the earlier ones choose first and have the
            odd ones.
        """

    def num_drop(
        self, views: Sequence[KernelView], request: Request
    ) -> list[tf.Tensor]:
        """Counts the connections that each layer drops.

        Args:
            views: Sequence of `KernelView`.
            request: `Request`.

        Returns:
            List of int64 scalars, one for each layer. The last connection of
            a layer is kept in any case. By default floor(fraction x active),
            in 64-bit floats, which are exact for kernels of any size.
        """
        num_active = masks.count_each(view.mask for view in views)
        return [
            tf.cast(
                tf.floor(
                    schedules.as_float64(fraction) * tf.cast(num, "float64")
                ),
                tf.int64,
            )
            for fraction, num in zip(request.fractions, num_active, strict=True)
        ]

    def redistribute(
        self,
        views: Sequence[KernelView],
        num_dropped: list[tf.Tensor],
        request: Request,
    ) -> list[tf.Tensor]:
        """Counts the connections that each layer grows.

        Args:
            views: Sequence of `KernelView`, after the drop.
            num_dropped: List of int64 scalars, one for each layer.
            request: `Request`.

        Returns:
            List of int64 scalars, each at most the inactive connections of
            the layer. By default `num_dropped`.
        """
        del views, request
        return num_dropped

    # Optional hooks.

    def initial_state(self) -> dict[str, float]:
        """Returns the algorithm's own state by name. By default none."""
        return {}

    def next_state(
        self,
        views: Sequence[KernelView],
        request: Request,
        num_dropped: list[tf.Tensor],
    ) -> dict[str, tf.Tensor]:
        """Returns the state after an update. By default it stays the same.

        Args:
            views: Sequence of `KernelView`, after the drop.
            request: `Request`, with the state before.
            num_dropped: List of int64 scalars, one for each layer.

        Returns:
            Dictionary with the names of `initial_state`.
        """
        del views, num_dropped
        return request.state

    def track(self, view: KernelView) -> tf.Tensor:
        """Returns the running gradient after a batch.

        It is called for every batch if the class sets `tracks_gradient`.

        Args:
            view: `KernelView`, with the running gradient so far in `momentum`
                and the dense gradient of the batch in `gradient`.

        Returns:
            Float tensor of kernel shape.
        """
        raise NotImplementedError(
            f"{type(self).__name__} sets `tracks_gradient` and must say what "
            "it keeps of `view.gradient` in `view.momentum`: override `track`."
        )

    def perturb(
        self, view: KernelView, learning_rate: tf.Tensor
    ) -> tf.Tensor | None:
        """Returns a term that a step adds to the gradient.

        Args:
            view: `KernelView`.
            learning_rate: Scalar, the optimizer's.

        Returns:
            Float tensor of the shape of `view.weight`, of which only active
            positions count, or `None` for nothing, which is the default.
        """
        del view, learning_rate
