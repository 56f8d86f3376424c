"""The types of arguments, and protocols of functions that users may write.

A function needs no base class: it fits a protocol if it can be called so.

>>> def halves(shapes: Sequence[Shape], sparsity: float) -> list[float]:
...     return [sparsity / 2] * len(shapes)
>>> share: Distribution = halves
>>> share([(8, 4), (4, 2)], 0.8)
[0.4, 0.4]
"""

import os
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any
from typing import Protocol

import keras
import numpy as np
import tensorflow as tf

# The base class of mixins: classes that are only used before a layer or model
# of Keras, as in `class ActiveDense(Active, keras.layers.Dense)`.
LayerMixin = keras.Layer if TYPE_CHECKING else object

PathLike = str | os.PathLike[str]
Shape = tuple[int, ...]
Names = str | Iterable[str]
"""Names of layers, or patterns with `*`."""
Integer = int | np.integer | tf.Tensor
Number = float | np.floating | tf.Tensor
TensorLike = tf.Tensor | np.ndarray | Sequence[Any] | float
Seed = int | Sequence[int] | tf.Tensor
MaskDict = Mapping[str, np.ndarray]
"""Masks by the names of kernels, boolean arrays of their shapes."""
GrowScores = TensorLike | Sequence[Callable[[], tf.Tensor]]
"""Scores, or functions that return the scores of one share each."""


class Schedule(Protocol):
    """A drop fraction in [0, 1] for each step."""

    def __call__(self, step: Integer, /) -> Number: ...


class SparsitySchedule(Protocol):
    """A sparsity for each step, or the pair (whether to prune, sparsity)."""

    def __call__(
        self, step: Integer, /
    ) -> Number | tuple[bool | tf.Tensor, Number]: ...


class Distribution(Protocol):
    """A sparsity for each kernel, from all shapes and the global sparsity.

    Keyword arguments `names`, `first` and `scores` are passed if the function
    has them.
    """

    def __call__(
        self, shapes: Sequence[Shape], sparsity: float, /
    ) -> Sequence[float]: ...


class Positions(Protocol):
    """What `KernelView` and `CandidateTile` have in common."""

    @property
    def weight(self) -> tf.Tensor: ...
    @property
    def mask(self) -> tf.Tensor: ...
    @property
    def gradient(self) -> Any: ...
    @property
    def momentum(self) -> Any: ...
    @property
    def sign(self) -> Any: ...
    def random(self, stream: int = 0) -> tf.Tensor: ...
    def uniform(self, stream: int = 0) -> tf.Tensor: ...
    def normal(self, stream: int = 0) -> tf.Tensor: ...
