"""The base class of algorithms, and the targets of an update."""

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
from rigl_tf.typing import Integer
from rigl_tf.typing import Number
from rigl_tf.typing import SparsitySchedule
from rigl_tf.utils.serialization import Config


class Request(NamedTuple):
    """The targets of one mask update.

    Attributes:
        fractions: List of scalars in [0, 1], for each kernel the fraction of
            active connections to drop at this step. Zeros if the algorithm
            follows a sparsity schedule and does not regrow.
        budgets: List of int64 scalars, for each kernel the active connections
            after this step: by the sparsity schedule in `allocate`, and by
            `allocate` in all other functions.
        state: Dictionary from name to float32 scalar, the algorithm's state.
    """

    fractions: Sequence[Any]
    budgets: Sequence[Any]
    state: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Algorithm(Config, abc.ABC):
    """A rule for dropping and growing connections, as pure functions.

    Subclasses must define `grow`. They may override `drop`, and `redistribute`,
    which shares the dropped connections among layers. Hyperparameters are
    dataclass fields.

    All functions except `grow` receive a `KernelView`, or a sequence of views.
    `grow` receives a `CandidateTile`, which may be a part of a kernel. Both
    provide random numbers: `view.random()`, `tile.uniform()`, `tile.normal()`.

    `views` are read-only sequences that build each view on access, so that
    memory holds the temporaries of one layer only.

    Attributes:
        needs_gradient: Boolean, whether views and tiles need the dense gradient
            of the current batch.
        needs_momentum: Boolean, whether views and tiles need the optimizer's
            momentum.
        tracks_gradient: Boolean, whether `track` receives the dense gradient of
            every batch.
        fixes_signs: Boolean, whether every connection has a sign that its
            weight must keep.
        uses_signs: Boolean, whether a score depends on the sign of a value.
            Then units of several connections cannot move, because views have
            their mean magnitudes.
        needs_whole_kernel: Boolean, whether `grow` needs the whole kernel in
            one tile, with its `layout`.
        updates_masks: Boolean, whether connections move at all.
        follows_sparsity: Boolean, whether the sparsity follows a schedule,
            which changes `Request.budgets`.
        regrows: Boolean, whether an algorithm that follows a sparsity schedule
            also grows connections. Training then starts with the connections
            of the initial sparsity, and the sparsity may fall. If not,
            training starts with all connections.
        default_schedule: `UpdateSchedule`, the default of `sparsify`.
        default_drop_fraction: The default drop fraction of `sparsify`.

    Example:

    >>> @dataclasses.dataclass(frozen=True)
    ... class SampledRigL(Algorithm):
    ...     needs_gradient = True
    ...
    ...     def grow(self, tile):
    ...         return tf.math.log(tile.uniform()) / tf.abs(tile.gradient)
    """

    needs_gradient = False
    needs_momentum = False
    needs_whole_kernel = False
    tracks_gradient = False
    fixes_signs = False
    uses_signs = False
    updates_masks = True
    follows_sparsity = False
    regrows = False
    default_schedule = schedules.UpdateSchedule()
    default_drop_fraction = schedules.Cosine()

    @property
    def replaces_step(self) -> bool:
        """Boolean, whether an update replaces the optimizer step.

        If not, the update follows the optimizer step. By default, an update
        that needs the gradient uses the batch only for that gradient (RigL
        paper, Algorithm 1).
        """
        return self.needs_gradient

    @property
    def moves_between_layers(self) -> bool:
        """Boolean, whether layers share their connections in an update."""
        if self.follows_sparsity:
            return type(self).allocate is not Algorithm.allocate
        return type(self).redistribute is not Algorithm.redistribute

    @property
    def perturbs_gradient(self) -> bool:
        """Boolean, whether a step may add a term to the gradient."""
        return type(self).perturb is not Algorithm.perturb

    def drop(self, view: KernelView) -> tf.Tensor:
        """Scores active connections; the lowest are dropped.

        Args:
            view: `KernelView`.

        Returns:
            Tensor of the shape of `view.mask`, of floats or of integers that
            fit in int32. By default, |weight|.
        """
        return scores.magnitude(view)

    @abc.abstractmethod
    def grow(
        self, tile: CandidateTile
    ) -> tf.Tensor | list[Callable[[], tf.Tensor]]:
        """Scores inactive connections; the highest are grown.

        Args:
            tile: `CandidateTile`. It may be a part of a kernel, so a score
                must depend only on the values at its position.

        Returns:
            Tensor of the shape of `tile.mask`, of floats or of integers that
            fit in int32. Or a list of functions that return such scores: each
            grows an equal share; earlier functions choose first and get the
            remainder. NaN is an error.
        """

    def allocate(
        self, views: Sequence[KernelView], request: Request
    ) -> Sequence[Integer]:
        """Shares the connections of a sparsity schedule among layers.

        `allocate` is called first in an update, if the class sets
        `follows_sparsity`.

        Args:
            views: Sequence of `KernelView`.
            request: `Request`.

        Returns:
            List of int64 scalars, the active connections of each layer after
            the update. By default, `request.budgets`.
        """
        del views
        return request.budgets

    def num_drop(
        self, views: Sequence[KernelView], request: Request
    ) -> list[tf.Tensor]:
        """Counts the connections that each layer drops.

        Args:
            views: Sequence of `KernelView`.
            request: `Request`.

        Returns:
            List of int64 scalars, one for each layer. The last connection of
            a layer is always kept. By default, floor(fraction x active),
            computed in float64, which is exact for kernels of any size. If
            the algorithm follows a sparsity schedule, all connections above
            the budget, and floor(fraction x budget) more.
        """
        num_active = masks.count_each(view.mask for view in views)
        kept = num_active
        if self.follows_sparsity:
            kept = [
                tf.minimum(num, tf.cast(budget, tf.int64))
                for num, budget in zip(num_active, request.budgets, strict=True)
            ]
        return [
            num - rest + _part(fraction, rest)
            for num, rest, fraction in zip(
                num_active, kept, request.fractions, strict=True
            )
        ]

    def redistribute(
        self,
        views: Sequence[KernelView],
        num_dropped: list[tf.Tensor],
        request: Request,
    ) -> Sequence[Integer]:
        """Counts the connections that each layer grows.

        Args:
            views: Sequence of `KernelView`, after the drop.
            num_dropped: List of int64 scalars, one for each layer.
            request: `Request`.

        Returns:
            List of int64 scalars, each at most the inactive connections of
            the layer. By default, `num_dropped`. If the algorithm follows a
            sparsity schedule, zeros, or, if it regrows, as many as the
            budget lacks.
        """
        if not self.follows_sparsity:
            return num_dropped
        if not self.regrows:
            return [0] * len(num_dropped)
        num_active = masks.count_each(view.mask for view in views)
        return [
            tf.cast(budget, tf.int64) - num
            for budget, num in zip(request.budgets, num_active, strict=True)
        ]

    # Optional hooks.

    def sparsity_schedule(self, final: float) -> SparsitySchedule:
        """Returns the sparsity schedule that ends at a sparsity.

        It is the schedule of `sparsify(..., sparsity=final)` if the class
        sets `follows_sparsity`.

        Args:
            final: Float in [0, 1), the final fraction of zeros.

        Returns:
            A schedule. By default, `PolynomialSparsity(final)`.
        """
        return schedules.PolynomialSparsity(final)

    def initial_state(self) -> dict[str, float]:
        """Returns the initial state by name. By default, there is no state."""
        return {}

    def next_state(
        self,
        views: Sequence[KernelView],
        request: Request,
        num_dropped: list[tf.Tensor],
    ) -> dict[str, tf.Tensor]:
        """Returns the state after an update. By default, it does not change.

        Args:
            views: Sequence of `KernelView`, after the drop.
            request: `Request`, with the state before the update.
            num_dropped: List of int64 scalars, one for each layer.

        Returns:
            Dictionary with the names of `initial_state`.
        """
        del views, num_dropped
        return request.state

    def track(self, view: KernelView) -> tf.Tensor:
        """Returns the moving average of gradients after a batch.

        `track` is called for every batch if the class sets `tracks_gradient`.

        Args:
            view: `KernelView` with the previous moving average in `momentum`
                and the dense gradient of the batch in `gradient`.

        Returns:
            Float tensor of kernel shape.
        """
        raise NotImplementedError(
            f"{type(self).__name__} sets `tracks_gradient` and must override "
            "`track`, which updates `view.momentum` by `view.gradient`."
        )

    def perturb(
        self, view: KernelView, learning_rate: tf.Tensor
    ) -> tf.Tensor | None:
        """Returns a term that a step adds to the gradient.

        Args:
            view: `KernelView`.
            learning_rate: Scalar, learning rate of the optimizer.

        Returns:
            Float tensor of the shape of `view.weight`, used only at active
            positions, or `None` for no term, the default.
        """
        del view, learning_rate


def _part(fraction: Number, num: Integer) -> tf.Tensor:
    """Returns a fraction of a number, rounded down, as an int64 scalar."""
    part = schedules.as_float64(fraction) * tf.cast(num, tf.float64)
    return tf.cast(tf.floor(part), tf.int64)
