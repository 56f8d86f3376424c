"""A schedule for each layer, of sparsities or of drop fractions."""

import dataclasses
import functools
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import ClassVar
from typing import Self

import keras

from rigl_tf.sparsity.schedules.steps import library_of
from rigl_tf.typing import Integer
from rigl_tf.typing import Number
from rigl_tf.typing import Schedule
from rigl_tf.typing import SparsitySchedule
from rigl_tf.utils.patterns import first_match
from rigl_tf.utils.serialization import Config


@dataclasses.dataclass(frozen=True)
class _ByLayer:
    """A dictionary from names or patterns to schedules."""

    schedules: dict

    _VALUES: ClassVar[str]  # what the dictionary has, for errors

    def __post_init__(self) -> None:
        is_valid = isinstance(self.schedules, dict) and all(
            isinstance(pattern, str) and callable(schedule)
            for pattern, schedule in self.schedules.items()
        )
        if not is_valid or not self.schedules:
            raise TypeError(
                "`schedules` must be a dictionary from names of layers, or "
                f"patterns with `*`, to {self._VALUES}. "
                f"Received: schedules={self.schedules!r}."
            )
        object.__setattr__(self, "schedules", dict(self.schedules))

    def __call__(self, step: Integer) -> Number:
        """Returns the largest value at a step, for logs."""
        values = [_number(each(step)) for each in self.schedules.values()]
        return functools.reduce(library_of(step).maximum, values)

    def map(self, function: Callable[[Any], Any]) -> Self:
        """Returns a copy with `function` applied to every schedule."""
        return type(self)(
            {key: function(each) for key, each in self.schedules.items()}
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Builds the dataclass and its schedules."""
        return cls(
            {
                key: keras.saving.deserialize_keras_object(each)
                for key, each in config["schedules"].items()
            }
        )


@dataclasses.dataclass(frozen=True)
class PerLayer(_ByLayer, Config):
    """A drop fraction for each layer.

    Args:
        schedules: Dictionary from the names of kernels, or patterns with `*`,
            to schedules of drop fractions. A pattern also selects all layers
            below it: `block` selects `block/conv`. The first match counts,
            except that `"*"` comes last wherever it stands.

    Raises:
        TypeError: If `schedules` is not such a dictionary.

    Example:

    >>> small = rigl_tf.schedules.Constant(0.1)
    >>> large = rigl_tf.schedules.Constant(0.3)
    >>> schedule = PerLayer({"conv*": small, "*": large})
    >>> schedule.schedules_of(["conv1", "dense"]) == [small, large]
    True
    """

    _VALUES = 'schedules, such as {"conv*": Cosine(0.1), "*": Cosine(0.3)}'

    def schedules_of(self, names: Sequence[str]) -> list[Schedule]:
        """Returns the schedule of each kernel.

        Args:
            names: List of strings, the names of all kernels.

        Raises:
            ValueError: If a kernel has no schedule, or a pattern is not used.
        """
        keys = first_match(self.schedules, names, "drop_fraction")
        for name in names:
            if name not in keys:
                raise ValueError(
                    f"`drop_fraction` has no schedule for kernel {name!r}. "
                    f"Received: drop_fraction={self.schedules!r}. Add an entry "
                    "for the pattern '*', which matches all others."
                )
        return [self.schedules[keys[name]] for name in names]


@dataclasses.dataclass(frozen=True)
class PerLayerSparsity(_ByLayer, Config):
    """A sparsity schedule for each layer, for algorithms that prune.

    `sparsify(..., sparsity={"conv*": PolynomialSparsity(0.5), "*": 0.9})`
    makes it from a dictionary, and gives each layer the final sparsity of its
    schedule.

    Args:
        schedules: Dictionary from the names of kernels, or patterns with `*`,
            to sparsity schedules. The first match counts, except that `"*"`
            comes last wherever it stands. Layers without a match stay dense.

    Raises:
        TypeError: If `schedules` is not such a dictionary.

    Example:

    >>> pruning = rigl_tf.schedules.PolynomialSparsity(
    ...     0.8, begin_step=0, end_step=10)
    >>> schedule = PerLayerSparsity({"conv*": pruning})
    >>> schedule.schedules_of(["block/conv_1", "logits"]) == [pruning, None]
    True
    """

    _VALUES = 'sparsity schedules, such as {"conv*": PolynomialSparsity(0.5)}'

    def schedules_of(
        self, names: Sequence[str]
    ) -> list[SparsitySchedule | None]:
        """Returns the schedule of each kernel, `None` where it stays dense.

        Args:
            names: List of strings, the names of all kernels.

        Raises:
            ValueError: If a pattern is not used.
        """
        keys = first_match(self.schedules, names, "sparsity")
        found = {name: self.schedules[key] for name, key in keys.items()}
        return [found.get(name) for name in names]


def _number(value: Any) -> Number:
    """Returns the sparsity of a pair (whether to prune, sparsity), too."""
    return value[1] if isinstance(value, tuple | list) else value


def each_sparsity(schedule: Any) -> list[Any]:
    """Returns the schedules of all layers, or the only schedule, in a list."""
    if isinstance(schedule, PerLayerSparsity):
        return list(schedule.schedules.values())
    return [schedule]
