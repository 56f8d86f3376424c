"""The inputs of an algorithm: views of kernels and tiles of candidates."""

import dataclasses
from typing import Any

import tensorflow as tf

from rigl_tf.algorithms.random_numbers import RandomNumbers
from rigl_tf.sparsity.kernel_layout import Layout
from rigl_tf.typing import Integer


@dataclasses.dataclass(frozen=True, eq=False)
class _Positions:
    """Tensors with one entry for each position, and random numbers."""

    weight: Any
    mask: Any
    gradient: Any = None
    momentum: Any = None
    sign: Any = None
    random_numbers: RandomNumbers | None = None
    layout: Layout | None = None
    progress: Any = None

    def random(self, stream: int = 0) -> tf.Tensor:
        """Draws int32 scores that do not depend on the storage of the kernel.

        Args:
            stream: Integer >= 0. Streams are independent of each other.

        Returns:
            int32 tensor, shape of `mask`, uniform over all 32-bit integers.
        """
        return self._numbers.integers(stream)

    def uniform(self, stream: int = 0) -> tf.Tensor:
        """Draws float32 numbers that are uniform between 0 and 1.

        Args:
            stream: Integer >= 0. Streams are independent of each other.

        Returns:
            float32 tensor, shape of `mask`. Neither 0 nor 1 occurs.
        """
        return self._numbers.uniform(stream)

    def normal(self, stream: int = 0) -> tf.Tensor:
        """Draws float32 numbers with mean 0 and standard deviation 1.

        Args:
            stream: Integer >= 0. Streams are independent of each other.

        Returns:
            float32 tensor, shape of `mask`.
        """
        return self._numbers.normal(stream)

    @property
    def _numbers(self) -> RandomNumbers:
        if self.random_numbers is None:
            raise ValueError(
                f"This `{type(self).__name__}` has no random numbers. "
                "Received: random_numbers=None. Pass "
                "`random_numbers=RandomNumbers(mask.shape, seed=0)`."
            )
        return self.random_numbers


@dataclasses.dataclass(frozen=True, eq=False)
class CandidateTile(_Positions):
    """The candidates of `grow`: a tile of a kernel.

    With `storage="dense"`, one tile is the whole kernel and has its shape, or
    the shape of its units if connections move in units. With
    `storage="active"`, `grow` receives a kernel as several flat tiles, one
    after another. So a score must depend on the values at its position and not
    on the whole tile. Create tensors with `tf.zeros_like(tile.mask)`, because
    the length of a flat tile is known only at run time.

    Random numbers must come from `random`, `uniform` and `normal`, which
    differ between tiles. A fixed seed would repeat in every tile.

    Example:

    >>> tile = CandidateTile(
    ...     weight=tf.constant([0.5, 0.0, 0.0]),
    ...     mask=tf.constant([True, False, False]),
    ...     gradient=tf.constant([0.0, 0.1, -0.9]),
    ... )
    >>> tf.abs(tile.gradient).numpy()  # the scores of RigL
    array([0. , 0.1, 0.9], dtype=float32)

    Attributes:
        weight: Float tensor. Zero for inactive connections, except for
            connections that this update dropped, which have their weight.
        mask: Boolean tensor. `False` marks the candidates: connections that
            are inactive after the drop.
        gradient: Float tensor, d(loss)/d(weight), averaged over the batch of
            all replicas. `None` unless the algorithm sets `needs_gradient`.
        momentum: Float tensor, the moving average of `track`, or, if the
            algorithm sets `needs_momentum`, the optimizer's momentum, which is
            zero for connections that were inactive before the update. `None`
            otherwise.
        sign: Float tensor of -1 and 1. `None` unless the algorithm sets
            `fixes_signs`.
        random_numbers: `RandomNumbers`, the source of `random`, `uniform` and
            `normal`.
        layout: `Layout`, the meaning of the dimensions of `mask`. `None` if the
            tile is not the whole kernel.
        progress: Float scalar in [0, 1], the passed fraction of the update
            schedule.
    """


@dataclasses.dataclass(frozen=True, eq=False)
class KernelView(_Positions):
    """A view of one kernel, for all functions of an algorithm except `grow`.

    With `storage="dense"`, tensors have the shape of the kernel. With
    `storage="active"`, tensors are flat and have an entry for each stored
    connection; stored connections are active. Entries with weight zero and
    `mask` `False` are padding. If connections move in units, `drop`,
    `num_drop`, `redistribute` and `next_state` receive one entry for each unit:
    the mean of its magnitudes, and whether the unit is active.

    Floats are float64 if the kernel is float64, and float32 otherwise.

    Example:

    >>> view = KernelView(
    ...     weight=tf.constant([0.5, -0.1, 0.0]),
    ...     mask=tf.constant([True, True, False]),
    ...     random_numbers=RandomNumbers((3,), seed=0),
    ... )
    >>> int(view.size), view.candidates().uniform().shape
    (3, TensorShape([3]))

    Attributes:
        weight: Float tensor; zero wherever `mask` is `False`.
        mask: Boolean tensor; `True` marks active connections.
        gradient: Float tensor, d(loss)/d(weight), averaged over the batch of
            all replicas. `None` unless the algorithm sets `needs_gradient` or
            `tracks_gradient`.
        momentum: Float tensor, the moving average of `track`, or, if the
            algorithm sets `needs_momentum`, the optimizer's momentum, which is
            zero for inactive connections. `None` otherwise.
        sign: Float tensor of -1 and 1, fixed for each connection. `None`
            unless the algorithm sets `fixes_signs`.
        random_numbers: `RandomNumbers`, the source of `random`, `uniform` and
            `normal`.
        layout: `Layout`, the meaning of the dimensions of `mask`. `None` if it
            has not the shape of the kernel.
        progress: Float scalar in [0, 1], the passed fraction of the update
            schedule.
        total: Integer, connections or units of the whole kernel, or `None` if
            it is the number of entries of `mask`.
        num_tiles: Integer, the number of tiles that `grow` receives.
        tiles: Function from this view and the index of a tile to a
            `CandidateTile`, or `None` if the whole view is the only tile.
    """

    total: int | None = None
    num_tiles: int = 1
    tiles: Any = None

    @property
    def size(self) -> tf.Tensor:
        """Connections or units of the whole kernel, as an int64 scalar."""
        if self.total is None:
            return tf.size(self.mask, out_type=tf.int64)
        return tf.constant(self.total, tf.int64)

    def candidates(self, tile: Integer = 0) -> CandidateTile:
        """Returns a tile of the kernel, for `grow`.

        Args:
            tile: Integer or integer scalar tensor, from 0 to `num_tiles` - 1.
        """
        if self.tiles is not None:
            return self.tiles(self, tile)
        return CandidateTile(
            self.weight,
            self.mask,
            self.gradient,
            self.momentum,
            self.sign,
            self.random_numbers,
            self.layout,
            self.progress,
        )
