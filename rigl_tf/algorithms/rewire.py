"""Drop and grow by any combination of scores."""

import dataclasses
import functools
from collections.abc import Callable

import tensorflow as tf

from rigl_tf.algorithms.base import Algorithm
from rigl_tf.algorithms.kernel_view import CandidateTile
from rigl_tf.algorithms.kernel_view import KernelView
from rigl_tf.algorithms.scores import SCORES


@dataclasses.dataclass(frozen=True)
class Rewire(Algorithm):
    """Drops and grows by named scores.

    Args:
        drop_by: String: `"magnitude"`, `"gradient"`, `"momentum"`,
            `"saliency"` (|weight x gradient|) or `"random"`.
        grow_by: Tuple of such strings. Each score grows an equal share;
            earlier scores choose first and get the remainder.

    Example:

    >>> rewire = rigl_tf.algorithms.Rewire("saliency", ("gradient", "random"))
    >>> sparse = rigl_tf.sparsify(network, rewire, sparsity=0.5)
    """

    drop_by: str = "magnitude"
    grow_by: tuple = ("random", "gradient")

    def __post_init__(self) -> None:
        if isinstance(self.grow_by, str) or not self.grow_by:
            raise ValueError(
                "`grow_by` must be a tuple of names of scores, such as "
                f"('random', 'gradient'). Received: grow_by={self.grow_by!r}."
            )
        object.__setattr__(self, "grow_by", tuple(self.grow_by))
        for name in (self.drop_by, *self.grow_by):
            if name not in SCORES:
                raise ValueError(
                    f"Scores must be in {', '.join(SCORES)}. "
                    f"Received: {name!r}."
                )

    @property
    def needs_gradient(self) -> bool:
        return not {"gradient", "saliency"}.isdisjoint(self._names)

    @property
    def needs_momentum(self) -> bool:
        return "momentum" in self._names

    @property
    def _names(self) -> set[str]:
        return {self.drop_by, *self.grow_by}

    def drop(self, view: KernelView) -> tf.Tensor:
        return SCORES[self.drop_by](view)

    def grow(self, tile: CandidateTile) -> list[Callable[[], tf.Tensor]]:
        return [functools.partial(SCORES[name], tile) for name in self.grow_by]
